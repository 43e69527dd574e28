// The pieces that handlers of a call share: functions, sessions, streams, the abort signal.

import * as functionCall from 'luckystack:plugin/function-call@0.1.0';
import * as stream from 'luckystack:plugin/stream@0.1.0';

import { tryCatch, tryCatchSync } from './attempt.js';
import { ask } from './errors.js';
import { read, write } from './json.js';
import { deleteSession, getSession, saveSession } from './sessions.js';
import { AbortController } from './shims/events.js';
import { watch } from '#drive';

/** Calls a function by its full name. */
export const callFunction = async (name, ...args) =>
  read(ask(() => functionCall.call(name, write(args.length > 1 ? args : args[0]))));

/** Functions of the framework that take or give what does not cross as JSON. */
const FRAMEWORK = {
  'session/getSession': getSession,
  'session/saveSession': saveSession,
  'session/deleteSession': deleteSession,
  'tryCatch/tryCatch': tryCatch,
  'tryCatch/tryCatchSync': tryCatchSync,
};

/** `functions.geo.distance(args)`: a call of `geo/distance`. */
function path(segments) {
  return new Proxy(function () {}, {
    // A promise would be asked for `then`; nothing on the way to a function is one.
    get: (_, key) => (typeof key === 'symbol' || key === 'then' ? undefined : path([...segments, key])),
    apply(_, __, args) {
      const name = segments.join('/');
      return Object.hasOwn(FRAMEWORK, name) ? FRAMEWORK[name](...args) : callFunction(name, ...args);
    },
  });
}

export const functions = new Proxy(
  {},
  { get: (_, key) => (typeof key === 'symbol' || key === 'then' ? undefined : path([key])) },
);

/** Sends a chunk to the caller; false when nobody listens any more. */
export const emit = (chunk) => stream.emit(write(chunk));

/** Sends a chunk to everybody in the room. */
export const broadcast = (chunk) => stream.broadcast(write(chunk));

/** Sends a chunk to the sockets of one session token or several. */
export const sendTo = (tokens, chunk) =>
  stream.to(
    (Array.isArray(tokens) ? tokens : [tokens]).filter((token) => typeof token === 'string' && token.trim() !== ''),
    write(chunk),
  );

/** Sends a chunk to one recipient of the fanout that a client half serves, by its place in it. */
export const sendToRecipient = (recipient, chunk) => stream.toRecipient(recipient, write(chunk));

/** The host delivers a chunk before it answers: there is no pressure to wait for. */
export const flushPressure = async () => {};

/** A signal that knows, whenever it is asked or waited with, whether the call was cancelled. */
export function abortSignal() {
  const controller = new AbortController();
  const look = () => {
    if (stream.aborted()) controller.abort(new Error('the call was cancelled'));
  };
  controller.signal.refresh = look;
  look();
  watch(look);
  return controller.signal;
}
