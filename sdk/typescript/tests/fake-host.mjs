// Stands in for the imports of a component: `luckystack:plugin/<interface>` is `host[<interface>]`, to be filled
// by a test before it imports a module of the run time.

import { register } from 'node:module';

/** What each interface answers, by the functions' names. */
export const host = (globalThis.fakeHost = {});

/** The names that a module may import of each interface. */
const FUNCTIONS = {
  'session-api': ['get', 'update', 'end'],
  accounts: [
    'get', 'update', 'checkPassword', 'changePassword', 'requestPasswordReset', 'completePasswordReset',
    'requestEmailChange', 'confirmEmailChange', 'delete',
  ],
  uploads: ['put', 'remove'],
  'function-call': ['call'],
  stream: ['emit', 'broadcast', 'to', 'toRecipient', 'aborted'],
};

/** An error as the engines throw those of the contract. */
export function refused(errorCode, errorParams = [], httpStatus = null) {
  const payload = { errorCode, errorParams, httpStatus };
  return Object.assign(new Error('refused'), { payload });
}

const text = (value) => new TextEncoder().encode(JSON.stringify(value));
/** A session as it crosses. */
export const session = (token, user) => ({ token, user: text(user) });
/** A JSON value as it crosses. */
export const json = text;
/** What a JSON value that crosses says. */
export const parsed = (bytes) => JSON.parse(new TextDecoder().decode(bytes));

const sources = Object.fromEntries(
  Object.entries(FUNCTIONS).map(([name, functions]) => [
    name,
    functions
      .map((each) => `const f_${each} = (...args) => fakeHost['${name}'].${each}(...args);\nexport { f_${each} as ${each} };`)
      .join('\n'),
  ]),
);
const hooks = `
const sources = ${JSON.stringify(sources)};
const name = (specifier) => /^luckystack:plugin\\/([a-z-]+)@/.exec(specifier)?.[1];
export const resolve = (specifier, context, next) =>
  name(specifier) in sources ? { url: specifier, shortCircuit: true } : next(specifier, context);
export const load = (url, context, next) =>
  name(url) in sources ? { format: 'module', source: sources[name(url)], shortCircuit: true } : next(url, context);
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
