// The pieces that handlers of a call share: functions, sessions, streams, the abort signal.

import * as functionCall from 'luckystack:plugin/function-call@0.1.0';
import * as sessions from 'luckystack:plugin/session-api@0.1.0';
import * as stream from 'luckystack:plugin/stream@0.1.0';

import { fromRecord, isRecord } from './errors.js';
import { read, write } from './json.js';
import { AbortController } from './shims/events.js';
import { watch } from '#drive';

/** A session as handlers see it: the user record, with the token. */
const asUser = ({ token, user }) => ({ ...read(user), token });

/** The signed-in user, or null. */
export const userOf = (caller) => (caller.session == null ? null : asUser(caller.session));

/** The live session behind a token, or null. */
export async function getSession(token) {
  const session = sessions.get(String(token ?? ''));
  return session == null ? null : asUser(session);
}

/** Calls a function by its full name. */
export async function callFunction(name, ...args) {
  try {
    return read(functionCall.call(name, write(args.length > 1 ? args : args[0])));
  } catch (error) {
    const inner = isRecord(error) ? error : error?.payload;
    throw isRecord(inner) ? fromRecord(inner) : error;
  }
}

/** `functions.geo.distance(args)`: a call of `geo/distance`. */
function path(segments) {
  return new Proxy(function () {}, {
    // A promise would be asked for `then`; nothing on the way to a function is one.
    get: (_, key) => (typeof key === 'symbol' || key === 'then' ? undefined : path([...segments, key])),
    apply(_, __, args) {
      const name = segments.join('/');
      return name === 'session/getSession' ? getSession(args[0]) : callFunction(name, ...args);
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
