// The world of one component: exactly what it exports and imports.

import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export const WORLD = 'component';

/** The world's text. `imports` are module names such as `wasi:logging/logging@0.1.0-draft`. */
function text(interfaces, imports) {
  const own = /^luckystack:plugin\/([a-z-]+)@/;
  const lines = [
    ...imports.map((name) => `    import ${own.test(name) ? `%${own.exec(name)[1]}` : name};`),
    ...interfaces.map((name) => `    export %${name};`),
  ];
  return `package luckystack:plugin@0.1.0;\n\nworld ${WORLD} {\n${lines.join('\n')}\n}\n`;
}

/** A folder with the contract and the world, made once for each world. */
export function worldFolder({ wit, cache, interfaces, imports }) {
  const world = text(interfaces, imports);
  const name = crypto.createHash('sha256').update(wit).update(world).digest('hex').slice(0, 16);
  const place = path.join(cache, `world-${name}`);
  if (fs.existsSync(place)) return place;
  fs.mkdirSync(cache, { recursive: true });
  const made = fs.mkdtempSync(path.join(cache, '.world-'));
  fs.cpSync(wit, made, { recursive: true });
  fs.writeFileSync(path.join(made, 'component.wit'), world);
  try {
    fs.renameSync(made, place);
  } catch (error) {
    if (!fs.existsSync(place)) throw error;
    fs.rmSync(made, { recursive: true });
  }
  return place;
}
