// The exports of a component, made of the modules of its handlers.

import {
  abortSignal, broadcast, callFunction, emit, flushPressure, functions, sendTo, sendToRecipient,
} from './call.js';
import { setCaller } from './caller.js';
import { drive } from '#drive';
import { HandlerError, answer, record } from './errors.js';
import { read, write } from './json.js';
import { userOf } from './sessions.js';

/** A key that is computed when it is asked for, and once. */
const lazily = (object, key, make) =>
  Object.defineProperty(object, key, {
    enumerable: true,
    configurable: true,
    get() {
      const value = make();
      Object.defineProperty(object, key, { value, enumerable: true });
      return value;
    },
  });

const raise = (error) => {
  throw error;
};

const lost = (route) => record('api.notFound', [{ key: 'name', value: route }], 404);

/** `api`: `modules` by full route name. */
export const api = (modules) => ({
  call(route, caller, input) {
    const module = modules[route];
    if (module === undefined) throw lost(route);
    setCaller(caller);
    return drive(
      () => {
        const call = { data: read(input), user: userOf(caller), functions, stream: emit, flushPressure };
        return module.main(lazily(call, 'abortSignal', abortSignal));
      },
      write,
      (error) => raise(answer(error, 'api.internalServerError', 500)),
    );
  },
});

/** `sync-server`: `modules` by full route name. */
export const syncServer = (modules) => ({
  call(route, caller, room, input) {
    const module = modules[route];
    if (module === undefined) throw lost(route);
    setCaller(caller);
    return drive(
      () => {
        const call = {
          clientInput: read(input),
          user: userOf(caller),
          functions,
          roomCode: room,
          stream: emit,
          broadcastStream: broadcast,
          streamTo: sendTo,
          flushPressure,
        };
        return module.main(lazily(call, 'abortSignal', abortSignal));
      },
      write,
      (error) => raise(answer(error, 'sync.serverExecutionFailed', 400)),
    );
  },
});

/** `sync-client`: one call with a list of recipients, one result for each. */
export const syncClient = (modules) => ({
  call(route, room, input, serverOutput, recipients) {
    const module = modules[route];
    if (module === undefined) return recipients.map(() => ({ tag: 'err', val: lost(route) }));
    setCaller(undefined);
    const failed = (error) => ({ tag: 'err', val: answer(error, 'sync.clientExecutionFailed', 400) });
    return drive(
      async () => {
        const shared = { clientInput: read(input), serverOutput: read(serverOutput), functions, roomCode: room };
        const results = [];
        for (const [index, { token }] of recipients.entries()) {
          try {
            const stream = (chunk) => sendToRecipient(index, chunk);
            const output = await module.main({ ...shared, token: token ?? null, stream });
            results.push({ tag: 'ok', val: write(output) });
          } catch (error) {
            results.push(failed(error));
          }
        }
        return results;
      },
      (results) => results,
      (error) => recipients.map(() => failed(error)),
    );
  },
});

/** `hooks`: `modules` by the hook's name. */
export const hooks = (modules) => ({
  handle(hook, payload) {
    const module = modules[hook];
    if (module === undefined) return { tag: 'proceed' };
    setCaller(undefined);
    return drive(() => module.main(read(payload)), outcome, raise);
  },
});

function outcome(answer) {
  if (answer === undefined || answer === null) return { tag: 'proceed' };
  if ('replace' in answer) return { tag: 'replace', val: write(answer.replace) };
  // The framework's own form, `{ stop: true, errorCode }`, and ours, `{ stop: { errorCode } }`.
  const stop = answer.stop === true ? answer : answer.stop;
  if (typeof stop !== 'object' || stop === null) return { tag: 'proceed' };
  const { errorCode, httpStatus, overrideOutput } = stop;
  return {
    tag: 'stop',
    val: {
      errorCode: String(errorCode ?? ''),
      httpStatus: httpStatus ?? null,
      overrideOutput: overrideOutput === undefined ? null : write(overrideOutput),
    },
  };
}

/** `functions`: `groups` of functions by the group's name; `arities` says how many parameters each has. */
export const provided = (groups, arities) => ({
  call(name, args) {
    const slash = name.lastIndexOf('/');
    const callee = groups[name.slice(0, slash)]?.[name.slice(slash + 1)];
    if (typeof callee !== 'function') throw record('functions.notFound', [{ key: 'name', value: name }], 404);
    setCaller(undefined);
    return drive(
      () => callee(...spread(read(args), arities()[name] ?? callee.length)),
      write,
      (error) => raise(answer(error, 'api.internalServerError', 500)),
    );
  },
});

/** One argument crosses as it is, none as null, several as a list. */
function spread(args, parameters) {
  if (parameters > 1 && Array.isArray(args)) return args;
  return args === null ? [] : [args];
}

/** `error-formatter`: the route's own, else the one of all routes. */
export const errorFormatter = (modules, global) => ({
  format(route, transport, userId, envelope) {
    const own = modules[route]?.errorFormatter;
    const format = typeof own === 'function' ? own : global?.errorFormatter;
    if (typeof format !== 'function') return null;
    return drive(
      () => format(read(envelope), { routeName: route, transport, userId: userId ?? undefined }),
      (changed) => (changed === undefined || changed === null ? null : write(changed)),
      (error) => {
        console.error(error);
        return null;
      },
    );
  },
});

export { HandlerError, callFunction };
