// The module that makes a component of the handlers.

const quote = JSON.stringify;

/** Interfaces of the contract by what they export it for. */
const EXPORTS = [
  ['api', 'api', 'api', (handler) => handler.kind === 'api'],
  ['sync-server', 'syncServer', 'syncServer', (handler) => handler.kind === 'sync-server'],
  ['sync-client', 'syncClient', 'syncClient', (handler) => handler.kind === 'sync-client'],
  ['hooks', 'hooks', 'hooks', (handler) => handler.kind === 'hook'],
  ['functions', 'functions', 'provided', (handler) => handler.kind === 'functions'],
];

/** The text of the entry module, and the interfaces that it exports. `formatters` are files that export one. */
export function entry({ handlers, sdk, formatters }) {
  const runtime = (file) => quote(`${sdk}/runtime/${file}`);
  const lines = [
    // First of all: what handlers find in the global scope.
    'import "#globals";',
    `import { describe } from ${runtime('manifest.js')};`,
    `import * as make from ${runtime('handlers.js')};`,
    'import { settleModules } from "#drive";',
    `import { setLocations } from ${runtime('locations.js')};`,
    ...handlers.map(({ file }, index) => `import * as m${index} from ${quote(file)};`),
  ];
  const table = (wanted, key) =>
    `{ ${handlers.flatMap((handler, index) => (wanted(handler) ? [`${quote(key(handler))}: m${index}`] : [])).join(', ')} }`;
  const interfaces = ['plugin'];
  lines.push(`export const plugin = describe(() => $manifest, ${table(() => true, ({ shown }) => shown)});`);
  for (const [name, variable, maker, wanted] of EXPORTS) {
    if (!handlers.some(wanted)) continue;
    interfaces.push(name);
    const modules = table(wanted, ({ route, name }) => route ?? name);
    const arities = maker === 'provided' ? ', () => JSON.parse($manifest).arities' : '';
    lines.push(`export const ${variable} = make.${maker}(${modules}${arities});`);
  }
  if (formatters.length > 0) {
    interfaces.push('error-formatter');
    const modules = table(({ file }) => formatters.includes(file), ({ route }) => route);
    lines.push(`export const errorFormatter = make.errorFormatter(${modules});`);
  }
  lines.push('settleModules();', 'globalThis.$locations = setLocations;');
  return { text: lines.join('\n'), interfaces };
}
