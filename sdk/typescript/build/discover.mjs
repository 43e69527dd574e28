// The handler files of a source folder, by their names.

import fs from 'node:fs';
import path from 'node:path';

import { versioned, wrongSegment, wrongVersion } from './names.mjs';

const EXTENSION = /\.(ts|mts|js|mjs)$/;
const DECLARATION = /\.d\.(ts|mts)$/;
const TEST = /\.(test|tests|spec)\.[a-z]+$/;
const MARKERS = ['_api', '_sync', '_hooks', '_functions'];
const IGNORED = ['target', 'node_modules', '__pycache__', 'dist', 'build'];
const MAX_DEPTH = 8;

/** Whether a file can be a handler, by its name. */
const isSource = (name) => EXTENSION.test(name) && !DECLARATION.test(name) && !TEST.test(name);

/**
 * Finds the handlers in `dir`. Answers with `handlers` and `errors`; each handler has a `kind`, its `file`,
 * and `shown`: the file below the folder, as it is called in manifests and logs.
 */
export function discover({ dir, service, nested }) {
  const found = { handlers: [], errors: [] };
  page(found, dir, dir, service, nested, MAX_DEPTH);
  if (service === 'functions') {
    for (const entry of entries(dir)) if (entry.isFile() && isSource(entry.name)) group(found, dir, dir, entry.name);
  }
  found.handlers.sort((a, b) => (a.shown < b.shown ? -1 : 1));
  duplicates(found);
  if (found.handlers.length === 0 && found.errors.length === 0) {
    found.errors.push({
      file: dir,
      message: 'no handlers: put one into `_api/<name>_v1.ts`, `_sync/<name>_server_v1.ts`, `_hooks/<hook>.ts` or `_functions/<group>.ts`',
    });
  }
  return found;
}

function entries(dir) {
  try {
    return fs.readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
}

function page(found, root, dir, service, nested, depth) {
  for (const entry of entries(dir)) {
    if (!entry.isDirectory()) continue;
    const sub = path.join(dir, entry.name);
    if (MARKERS.includes(entry.name)) {
      marker(found, root, sub, entry.name, service);
    } else if (nested && depth > 0 && !/^[_.]/.test(entry.name) && !IGNORED.includes(entry.name)) {
      page(found, root, sub, `${service}/${entry.name}`, nested, depth - 1);
    }
  }
}

function marker(found, root, dir, name, service) {
  for (const entry of entries(dir)) {
    const at = path.join(dir, entry.name);
    // Folders that begin with `_` are for helper modules. Others look like pages, which they are not.
    if (entry.isDirectory() && !/^[_.]/.test(entry.name) && !IGNORED.includes(entry.name)) {
      const misplaced = entries(at).find((file) => file.isFile() && isSource(file.name) && /_v\d+\./.test(file.name));
      if (misplaced !== undefined) {
        found.errors.push({
          file: path.join(at, misplaced.name),
          message: `a handler stands directly in \`${name}\`; move it there, or the page above it: \`${entry.name}/${name}/${misplaced.name}\``,
        });
      }
    }
    if (!entry.isFile() || !isSource(entry.name)) continue;
    if (name === '_api') api(found, root, dir, entry.name, service);
    else if (name === '_sync') sync(found, root, dir, entry.name, service);
    else if (name === '_hooks') hook(found, root, dir, entry.name);
    else group(found, root, dir, entry.name);
  }
}

/** Adds a handler, unless its file is empty or a rule is broken. */
function add(found, root, file, broken, handler) {
  const message = broken.find((rule) => rule !== undefined) ?? empty(file, handler);
  if (message === undefined) {
    found.handlers.push({ ...handler, file, shown: path.relative(root, file).split(path.sep).join('/') });
  } else {
    found.errors.push({ file, message });
  }
}

function empty(file, { kind }) {
  if (fs.readFileSync(file, 'utf8').trim() !== '') return undefined;
  const wanted = kind === 'functions' ? 'an exported function' : '`export const main = async (…) => { … }`';
  return `the file is empty; a handler here needs ${wanted}. \`luckystack-host new\` writes one, and so does saving the empty file while \`--dev\` runs`;
}

const stemOf = (name) => name.replace(EXTENSION, '');

/** `admin/users` with each segment checked. */
const wrongPage = (service) => service.split('/').map(wrongSegment).find((rule) => rule !== undefined);

function api(found, root, dir, name, service) {
  const file = path.join(dir, name);
  const parts = versioned(stemOf(name));
  if (parts === undefined) {
    found.errors.push({
      file,
      message: `a handler is called \`<name>_v<N>\`, such as \`${stemOf(name)}_v1${path.extname(name)}\`; helper modules go into a folder such as \`_api/_lib\``,
    });
    return;
  }
  route(found, root, file, service, 'api', parts);
}

function sync(found, root, dir, name, service) {
  const file = path.join(dir, name);
  const match = /^(.*)_(server|client)_v(\d+)$/.exec(stemOf(name));
  if (match === null) {
    const stem = (versioned(stemOf(name))?.name ?? stemOf(name)).replace(/_(server|client)$/, '');
    found.errors.push({
      file,
      message: `a sync handler is called \`<name>_server_v<N>\` or \`<name>_client_v<N>\`, such as \`${stem}_server_v1${path.extname(name)}\`; helper modules go into a folder such as \`_sync/_lib\``,
    });
    return;
  }
  route(found, root, file, service, `sync-${match[2]}`, { name: match[1], version: match[3] });
}

function route(found, root, file, service, kind, { name, version }) {
  const prefix = kind === 'api' ? 'api' : 'sync';
  add(found, root, file, [wrongPage(service), wrongSegment(name), wrongVersion(version)], {
    kind,
    page: service,
    name,
    version: Number(version),
    route: `${prefix}/${service}/${name}/v${Number(version)}`,
  });
}

function hook(found, root, dir, name) {
  add(found, root, path.join(dir, name), [wrongSegment(stemOf(name))], { kind: 'hook', name: stemOf(name) });
}

function group(found, root, dir, name) {
  const stem = stemOf(name);
  const reserved = stem === 'host' ? 'the group `host` is taken; call the file otherwise' : undefined;
  add(found, root, path.join(dir, name), [wrongSegment(stem), reserved], { kind: 'functions', name: stem });
}

function duplicates(found) {
  const seen = new Map();
  for (const { kind, route, name, file, shown } of found.handlers) {
    const key = `${kind} ${route ?? name}`;
    if (seen.has(key)) found.errors.push({ file, message: `${route ?? name} is already in ${seen.get(key)}` });
    seen.set(key, shown);
  }
}
