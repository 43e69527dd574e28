// A worker: checks the types of the handlers and reads the manifest's part from them. It runs beside the
// bundler, since neither needs the other.

import fs from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';

import { HandlerTypes } from './handler-types.mjs';
import { load } from './typescript.mjs';

const { handlers, modules, sdk, cache: kept, cwd, colour } = workerData;
const started = performance.now();
const { ts, library, done } = load(modules, kept);

/** Modules that are the SDK's own, whatever is installed. */
const OWN = {
  luckystack: 'luckystack.d.ts',
  'luckystack/accounts': 'accounts.d.ts',
  'luckystack/config': 'config.d.ts',
  'luckystack/keyvalue': 'keyvalue.d.ts',
  'luckystack/http': 'http.d.ts',
  'luckystack/uploads': 'uploads.d.ts',
};

/** Modules of a LuckyStack project, which need not be there. */
const isProject = (name) =>
  /^@luckystack\//.test(name) || /(^|\/)config$/.test(name) || /(^|\/)_sockets\/apiTypes\.generated$/.test(name);

const types = (file) => path.join(sdk, 'types', file);

/** The author's own settings that change what is an error; the rest is what a component needs. */
function options() {
  const own = {};
  const file = ts.findConfigFile(path.dirname(handlers[0].file), ts.sys.fileExists);
  const inputs = [];
  if (file !== undefined) {
    const { config } = ts.readConfigFile(file, ts.sys.readFile);
    const parsed = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, path.dirname(file)).options;
    for (const key of [
      'strict', 'noImplicitAny', 'strictNullChecks', 'strictFunctionTypes', 'strictBindCallApply', 'noImplicitThis',
      'strictPropertyInitialization', 'useUnknownInCatchVariables', 'noUncheckedIndexedAccess', 'exactOptionalPropertyTypes',
      'noImplicitReturns', 'noFallthroughCasesInSwitch', 'noImplicitOverride', 'noUnusedLocals', 'noUnusedParameters',
      'checkJs', 'baseUrl', 'paths', 'pathsBasePath', 'experimentalDecorators', 'useDefineForClassFields',
    ]) {
      if (parsed[key] !== undefined) own[key] = parsed[key];
    }
    inputs.push(file);
  }
  return {
    inputs,
    options: {
      strict: true,
      ...own,
      noEmit: true,
      allowJs: true,
      allowImportingTsExtensions: true,
      resolveJsonModule: true,
      esModuleInterop: true,
      skipLibCheck: true,
      types: [],
      noLib: true,
      target: ts.ScriptTarget.ESNext,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
    },
  };
}

const settings = options();
const host = ts.createCompilerHost(settings.options, false);
host.getCurrentDirectory = () => cwd;
const cache = ts.createModuleResolutionCache(cwd, host.getCanonicalFileName, settings.options);
host.resolveModuleNameLiterals = (literals, containing, redirected, compilerOptions) =>
  literals.map(({ text }) => {
    const as = (file) => ({ resolvedModule: { resolvedFileName: types(file), extension: '.d.ts', isExternalLibraryImport: true } });
    if (text in OWN) return as(OWN[text]);
    const found = ts.resolveModuleName(text, containing, compilerOptions, host, cache, redirected);
    return found.resolvedModule === undefined && isProject(text) ? as('luckystack.d.ts') : found;
  });

const program = ts.createProgram({
  rootNames: [library, types('globals.d.ts'), ...handlers.map(({ file }) => file)],
  options: settings.options,
  host,
});
const parsed = performance.now();

/** The files of the bundle, once it is known: only what runs has to be free of errors. */
const bundled = await new Promise((resolve) => parentPort.once('message', resolve));
const waited = performance.now();

const format = { getCurrentDirectory: () => cwd, getCanonicalFileName: (name) => name, getNewLine: () => '\n' };
const render = (diagnostics) =>
  colour ? ts.formatDiagnosticsWithColorAndContext(diagnostics, format) : ts.formatDiagnostics(diagnostics, format);

const isOwn = (file) => !file.includes('/node_modules/') && !file.startsWith(sdk) && file !== library;
const files = new Set([...handlers.map(({ file }) => file), ...bundled].filter(isOwn));
const diagnostics = [];
for (const file of files) {
  const source = program.getSourceFile(file);
  if (source === undefined) continue;
  diagnostics.push(...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source));
}
const errors = diagnostics.filter(({ category }) => category === ts.DiagnosticCategory.Error);

const problems = [];
const note = (category) => (node, messageText) => {
  const file = node.getSourceFile();
  problems.push({ category, code: 'luckystack', file, start: node.getStart(file), length: node.getWidth(file), messageText });
};
const handlerTypes = new HandlerTypes(ts, program, note(ts.DiagnosticCategory.Warning));
const result = { routes: {}, groups: {}, hooks: {}, failures: [] };
for (const handler of handlers) {
  const { kind, shown, file } = handler;
  const read = kind === 'hook' ? handlerTypes.hook(handler) : kind === 'functions' ? handlerTypes.group(handler) : handlerTypes.route(handler);
  if (read.error !== undefined) result.failures.push({ file, message: read.error });
  else if (kind === 'hook') result.hooks[shown] = read;
  else if (kind === 'functions') result.groups[shown] = read;
  else result.routes[shown] = read.entry;
}

parentPort.postMessage({
  ...result,
  errors: errors.length > 0 ? render(errors) : '',
  warnings: problems.length > 0 ? render(problems).replaceAll(/ TSluckystack/g, '') : '',
  inputs: [
    ...settings.inputs,
    ...program.getSourceFiles().map(({ fileName }) => fileName).filter((file) => isOwn(file) && fs.existsSync(file)),
  ],
  ms: { load: Math.round(parsed - started), check: Math.round(performance.now() - waited) },
});
done();
