// The manifest: what the builder read from the types, with what the modules export as values.

import { drive } from '#drive';

import { flushEarly } from './console.js';

const METHODS = ['GET', 'POST', 'PUT', 'DELETE'];

/**
 * `plugin`. `built` is the builder's part as JSON text: the manifest, in which each route, hook and
 * function names its file as `file`. `modules` are the modules by file.
 */
export const describe = (built, modules) => ({
  describe() {
    return drive(
      () => {
        flushEarly();
        const { arities, ...manifest } = JSON.parse(built());
        void arities;
        manifest.routes = manifest.routes.map((entry) => route(entry, modules));
        manifest.hooks = manifest.hooks.map((entry) => hook(entry, modules));
        return JSON.stringify(manifest);
      },
      (text) => text,
      (error) => {
        throw error;
      },
    );
  },
});

function route({ file, ...entry }, modules) {
  const { auth, rateLimit, httpMethod, validation, errorFormatter } = modules[file];
  const wrong = (name, rule) => new Error(`${file}: ${name} ${rule}`);
  if (entry.kind === 'sync-client') return entry;
  if (auth !== undefined) {
    if (typeof auth?.login !== 'boolean') throw wrong('auth', 'needs `login: true` or `login: false`');
    entry.auth = { login: auth.login };
    if (auth.additional?.length > 0) entry.auth.additional = auth.additional.map(predicate);
  }
  if (rateLimit !== undefined) {
    if (rateLimit !== false && !(typeof rateLimit === 'number' && rateLimit >= 0)) {
      throw wrong('rateLimit', 'must be a number or false');
    }
    // The framework takes 0 for no limit, and counts whole calls.
    entry.rateLimit = rateLimit === false || rateLimit < 1 ? false : Math.floor(rateLimit);
  }
  if (httpMethod !== undefined && entry.kind === 'api') {
    if (!METHODS.includes(httpMethod)) throw wrong('httpMethod', `must be one of ${METHODS.join(', ')}`);
    entry.method = httpMethod;
  }
  if (validation === 'relaxed' || validation === 'strict') entry.validation = validation;
  else if (validation?.input === 'skip' || validation?.input === 'strict') entry.validation = { input: validation.input };
  if (typeof errorFormatter === 'function') entry.errorFormatter = true;
  return entry;
}

/** JSON has no `undefined`: a session value that must be undefined can never be there. */
function predicate({ value, ...rest }, index, all) {
  if (!('value' in all[index])) return rest;
  return value === undefined ? { ...rest, type: 'undefined' } : { ...rest, value };
}

function hook({ file, ...entry }, modules) {
  const { order, payload, routes } = modules[file];
  if (order !== undefined) entry.order = order;
  if (payload !== undefined) entry.payload = payload;
  if (routes !== undefined) entry.routes = routes;
  return entry;
}
