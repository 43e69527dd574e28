// Builds one plugin: `node build.mjs <request as JSON>`. Errors go to standard error as the tools render
// them; the last line of standard output is the result, as JSON:
// `{ imports, interfaces, inputs, ms: { check, bundle, componentize, total } }`.

import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { bundle } from './bundle.mjs';
import { engines } from './componentize.mjs';
import { discover } from './discover.mjs';
import { entry } from './entry.mjs';
import { worldFolder } from './world.mjs';

const began = performance.now();
const since = (start) => Math.round(performance.now() - start);
const request = JSON.parse(process.argv[2]);
const { service, name, dir, output, cache, modules, engineModules, engine, wit, colour, nested } = request;
const sdk = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const cwd = process.cwd();

const red = (text) => (colour ? `\u001b[91m${text}\u001b[0m` : text);
const yellow = (text) => (colour ? `\u001b[93m${text}\u001b[0m` : text);
const shown = (file) => path.relative(cwd, file) || '.';
const line = (kind, { file, message }) => `${shown(file)} - ${kind}: ${message}\n`;

function fail(text) {
  // The write is complete before the process ends; a speculative componentize would keep it alive.
  fs.writeSync(2, text);
  process.exit(1);
}

const { handlers, errors } = discover({ dir, service, nested });
if (errors.length > 0) fail(errors.map((error) => line(red('error'), error)).join(''));
// The folder may hold a plugin in another language too, and the server half be in that one.
const isShared = ['Cargo.toml', 'plugin.json'].some((file) => fs.existsSync(path.join(dir, file)));
for (const client of isShared ? [] : handlers.filter(({ kind }) => kind === 'sync-client')) {
  if (!handlers.some(({ kind, route }) => kind === 'sync-server' && route === client.route)) {
    const message = 'a client half without its server half is never called: add the file `…_server_v…`';
    fs.writeSync(2, line(yellow('warning'), { file: client.file, message }));
  }
}

const worker = new Worker(new URL('./check.mjs', import.meta.url), {
  workerData: { handlers, modules, sdk, cache, cwd, colour },
});
const checking = new Promise((resolve, reject) => {
  worker.once('message', resolve);
  worker.once('error', reject);
});

const require = createRequire(path.join(modules, 'x.js'));
const esbuild = require('esbuild');
// A textual look suffices: it decides on an export that answers `none` where nothing formats.
const formatters = handlers
  .filter(({ kind }) => kind === 'api' || kind === 'sync-server')
  .map(({ file }) => file)
  .filter((file) => /\berrorFormatter\b/.test(fs.readFileSync(file, 'utf8')));

let bundled;
const module = entry({ handlers, sdk, formatters });
try {
  bundled = await bundle({ esbuild, text: module.text, dir, cwd, sdk, engine, service });
} catch (error) {
  if (!Array.isArray(error.errors)) throw error;
  const texts = await esbuild.formatMessages(error.errors, { kind: 'error', color: colour, terminalWidth: 100 });
  fail(texts.join('') + uninstalled(texts.join('')));
}
const bundleMs = since(began);
const notes = await esbuild.formatMessages(bundled.warnings, { kind: 'warning', color: colour, terminalWidth: 100 });
fs.writeSync(2, notes.join(''));
if (engine === 'quickjs' && bundled.imports.some((one) => one.startsWith('wasi:http/'))) {
  const message =
    'requests to other servers (`fetch`) need the complete engine: write `"luckystack": { "engine": "starlingmonkey" }` into its package.json';
  fail(line(red('error'), { file: dir, message }));
}
worker.postMessage(bundled.inputs);

const witPath = worldFolder({ wit, cache, interfaces: module.interfaces, imports: bundled.imports });

/** The component of this bundle with a manifest. It is one line before the bundle, hence the comma. */
function componentize(manifest) {
  const started = performance.now();
  const quoted = JSON.stringify(JSON.stringify({ ...bundled.locations, lines: `,${bundled.locations.lines}` }));
  const source = `const $manifest = ${JSON.stringify(manifest)};\n${bundled.code}\n$locations(${quoted});\n`;
  return engines[engine](source, witPath, engineModules).then((component) => ({ component, ms: since(started) }));
}

// Most edits change no type: while the types are checked, the component is made with the manifest of the
// last build. Should it turn out to be another, it is made again.
const guessFile = path.join(cache, `manifest-${crypto.createHash('sha256').update(`${dir}\n${service}\n${name}`).digest('hex').slice(0, 16)}.json`);
const guess = fs.existsSync(guessFile) ? fs.readFileSync(guessFile, 'utf8') : undefined;
const speculative = guess === undefined ? undefined : componentize(guess);
speculative?.catch(() => {});

const checked = await checking;
const checkMs = since(began);
if (checked.warnings !== '') fs.writeSync(2, checked.warnings);
if (checked.errors !== '' || checked.failures.length > 0) {
  fail(checked.errors + checked.failures.map((failure) => line(red('error'), failure)).join(''));
}

const manifest = JSON.stringify(manifestOf(checked));
process.stdout.write('encoding\n');
let made;
try {
  made = await (manifest === guess ? speculative : componentize(manifest));
} catch (error) {
  fail(`${red('error')}: the modules could not be evaluated, or no component could be made of them:\n${error.message ?? error}\n`);
}
fs.writeFileSync(output, made.component);
fs.writeFileSync(guessFile, manifest);

/** What to do about packages that `package.json` names and that are not there. */
function uninstalled(messages) {
  const file = path.join(dir, 'package.json');
  const { dependencies = {} } = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
  const missing = Object.keys(dependencies).filter((name) => messages.includes(`Could not resolve "${name}`));
  return missing.length === 0 ? '' : `${missing.join(', ')}: in package.json, but not installed: npm install --prefix ${shown(dir)}\n`;
}

/** The builder's part of the manifest. */
function manifestOf({ routes, groups, hooks }) {
  const file = path.join(dir, 'package.json');
  const { version, description } = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
  const own = { name, version: typeof version === 'string' && version !== '' ? version : '0.0.0', service };
  if (typeof description === 'string' && description !== '') own.description = description.slice(0, 500);
  const of = (wanted, make) => handlers.filter(wanted).map(make);
  return {
    ...own,
    routes: of(
      ({ shown }) => routes[shown] !== undefined,
      ({ kind, name, page, version, shown }) => ({
        file: shown,
        kind,
        name,
        version,
        ...(page !== service && { page }),
        ...routes[shown],
      }),
    ),
    hooks: of(({ shown }) => hooks[shown] !== undefined, ({ name, shown }) => ({ file: shown, hook: name })),
    functions: Object.values(groups).flatMap(({ functions }) => functions),
    arities: Object.assign({}, ...Object.values(groups).map(({ arities }) => arities)),
  };
}

const packageFile = path.join(dir, 'package.json');
const inputs = [...new Set([...bundled.inputs, ...checked.inputs, ...(fs.existsSync(packageFile) ? [packageFile] : [])])];
process.stdout.write(
  `${JSON.stringify({
    imports: bundled.imports,
    interfaces: module.interfaces,
    inputs: inputs.filter((file) => !file.startsWith(sdk) && fs.existsSync(file)),
    ms: { check: checkMs, bundle: bundleMs, componentize: made.ms, total: since(began), types: checked.ms },
    speculated: manifest === guess,
  })}\n`,
);
process.exit(0);
