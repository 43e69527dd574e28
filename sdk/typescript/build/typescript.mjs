// The TypeScript compiler, started quickly. Loading it and reading the 60 files of the language's library
// takes longer than checking a service, so both are kept in a form that loads faster:
//
// - V8's compiled code of the compiler, made after its first run;
// - the library in one file, without its comments.

import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import vm from 'node:vm';

const LIBRARY = ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'];

/** Writes a file whole or not at all; that it is kept is not essential. */
function keep(file, data) {
  const made = `${file}.${process.pid}.tmp`;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(made, data);
    fs.renameSync(made, file);
  } catch {
    fs.rmSync(made, { force: true });
  }
}

/**
 * Loads the compiler of `modules`. Answers with it as `ts`, with `library`, the path of its library in one file, and
 * with `done`, to be called when the work is over.
 */
export function load(modules, cache) {
  const require = createRequire(path.join(modules, 'x.js'));
  const file = require.resolve('typescript');
  const { version } = require('typescript/package.json');
  const code = path.join(cache, `typescript-${version}-node-${process.version}.bin`);
  const cachedData = fs.existsSync(code) ? fs.readFileSync(code) : undefined;
  const source = `(function (exports, require, module, __filename, __dirname) {${fs.readFileSync(file, 'utf8')}\n})`;
  const script = new vm.Script(source, { filename: file, cachedData });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file, path.dirname(file));
  const ts = module.exports;

  const library = path.join(cache, `lib.luckystack-${version}.d.ts`);
  if (!fs.existsSync(library)) keep(library, merged(ts, path.dirname(file)));
  return {
    ts,
    library,
    done() {
      if (cachedData === undefined || script.cachedDataRejected) keep(code, script.createCachedData());
    },
  };
}

function merged(ts, dir) {
  const seen = new Set();
  const printer = ts.createPrinter({ removeComments: true });
  let text = '';
  const add = (name) => {
    if (seen.has(name)) return;
    seen.add(name);
    const source = ts.createSourceFile(name, fs.readFileSync(path.join(dir, name), 'utf8'), ts.ScriptTarget.ESNext);
    for (const { fileName } of source.libReferenceDirectives) add(`lib.${fileName}.d.ts`);
    text += printer.printFile(source);
  };
  LIBRARY.forEach(add);
  return text;
}
