// All handlers and what they import, as one script.

import path from 'node:path';

import { decode } from './source-map.mjs';

/** Global names that the small engine lacks, each in a file that is only included where it is used. */
const SHIMS = ['clone.js', 'crypto.js', 'encoding.js', 'events.js', 'fetch.js', 'url.js'];

/** Modules that handlers import by name, and where they are. */
const MODULES = {
  luckystack: 'luckystack.js',
  'luckystack/accounts': 'accounts.js',
  'luckystack/config': 'config.js',
  'luckystack/keyvalue': 'keyvalue.js',
  'luckystack/http': 'http.js',
  'luckystack/uploads': 'uploads.js',
};
const FRAMEWORK = ['core', 'sync', 'login', 'server', 'devkit', 'api', 'presence', 'email', 'monitoring', 'router'];

/** Bundles; throws what esbuild throws when it fails. */
export async function bundle({ esbuild, text, dir, cwd, sdk, engine, service }) {
  const runtime = (file) => path.join(sdk, 'runtime', file);
  const alias = Object.fromEntries(Object.entries(MODULES).map(([name, file]) => [name, runtime(file)]));
  for (const name of FRAMEWORK) alias[`@luckystack/${name}`] = runtime('luckystack.js');
  const small = engine === 'quickjs';
  const result = await esbuild.build({
    stdin: { contents: text, resolveDir: path.join(sdk, 'runtime'), sourcefile: 'entry.js', loader: 'js' },
    bundle: true,
    write: false,
    outfile: path.join(dir, 'component.js'),
    absWorkingDir: cwd,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: small ? ['quickjs', 'worker', 'import'] : ['worker', 'import'],
    target: 'esnext',
    // The small engine does not drive its own promises during a call; see `runtime/promise.js`.
    supported: small
      ? { 'async-await': false, 'async-generator': false, 'for-await': false, 'top-level-await': false }
      : { 'top-level-await': false },
    inject: (small ? SHIMS : ['fetch.js']).map((file) => runtime(`shims/${file}`)),
    alias,
    external: ['luckystack:*', 'wasi:*'],
    define: { 'process.env.NODE_ENV': '"production"' },
    sourcemap: 'external',
    sourcesContent: false,
    metafile: true,
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
  });
  const code = result.outputFiles.find((file) => file.path.endsWith('.js')).text;
  const map = JSON.parse(result.outputFiles.find((file) => file.path.endsWith('.map')).text);
  const inputs = Object.keys(result.metafile.inputs)
    .filter((file) => file !== 'entry.js' && !file.startsWith('<'))
    .map((file) => path.resolve(cwd, file));
  const [output] = Object.entries(result.metafile.outputs).filter(([file]) => file.endsWith('.js'));
  const imports = [...new Set(output[1].imports.filter((one) => one.external).map((one) => one.path))].sort();
  return { code, inputs, imports, warnings: result.warnings, locations: locations(map, { dir, sdk, service }) };
}

/** For each line of the bundle, the author's file and line, as `runtime/locations.js` reads it. */
function locations(map, { dir, sdk, service }) {
  const files = [];
  const numbers = map.sources.map((source) => {
    const file = path.resolve(dir, source);
    if (file.startsWith(sdk) || source.endsWith('entry.js')) return undefined;
    return files.push(`${service}/${path.relative(dir, file).split(path.sep).join('/')}`) - 1;
  });
  const lines = decode(map.mappings).map((segment) => {
    const file = segment === undefined ? undefined : numbers[segment.source];
    return file === undefined ? '' : `${file.toString(36)}:${(segment.line + 1).toString(36)}`;
  });
  return { files, lines: lines.join(',') };
}
