// The module `luckystack`, which also stands in for the values that handlers import from `@luckystack/…`.

import { caller } from './caller.js';
import { callFunction, functions } from './call.js';
import { HandlerError } from './errors.js';
import { log as write } from './console.js';

export { tryCatch, tryCatchSync } from './attempt.js';
export { createStreamThrottle } from './throttle.js';
export { deleteSession, endSession, getSession, saveSession, updateSession } from './sessions.js';
export { HandlerError, callFunction, functions };

/** Who makes the running call; undefined in hooks, functions and the client half of a sync. */
export function currentCaller() {
  const current = caller();
  if (current === undefined) return undefined;
  const { ip, language, requestId, traceparent, transport } = current;
  return { ip, language, requestId, traceparent: traceparent ?? undefined, transport };
}

/** Lines of the service's log, with their level. */
export const log = Object.fromEntries(
  ['trace', 'debug', 'info', 'warn', 'error', 'critical'].map((level) => [
    level,
    (message, context = '') => write(level, context, String(message)),
  ]),
);

/** Waits for some milliseconds of the call. */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
