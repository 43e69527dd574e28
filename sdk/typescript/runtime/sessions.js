// Sessions by their token: in the forms of this SDK, and in those of the framework.

import * as sessions from 'luckystack:plugin/session-api@0.1.0';

import { caller, read as wereRead } from './caller.js';
import { HandlerError, ask } from './errors.js';
import { read, write } from './json.js';
import { changes } from './session-changes.js';

/** A session as handlers see it: the session object, with the token. */
function asUser({ token, user }) {
  wereRead.set(token, user);
  return { ...read(user), token };
}

/** The signed-in user, or null. */
export const userOf = (caller) => (caller.session == null ? null : asUser(caller.session));

/** No token is the caller's own; nobody's, when nobody is signed in. */
const orOwn = (token) => String(token ?? caller()?.session?.token ?? '');

/** The live session behind a token, or null. */
export async function getSession(token) {
  const session = sessions.get(String(token ?? ''));
  return session == null ? null : asUser(session);
}

/** Sets fields of the caller's session, or of that behind a token; null removes one. The session as it is then. */
export async function updateSession(fields, token = undefined) {
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw new TypeError('updateSession: the fields are an object, such as { theme: "dark" }');
  }
  return asUser(ask(() => sessions.update(orOwn(token), write(fields))));
}

/** Ends the caller's session, or that behind a token; whether there was one. */
export const endSession = async (token = undefined) => sessions.end(orOwn(token));

/**
 * The framework's: makes the session behind a token what `data` is, by setting the fields that are not as
 * they were when the handler read them. Answers `{ ok: true }` or `{ ok: false, errorCode }`.
 */
export async function saveSession(token, data, newUser = false) {
  if (newUser) {
    throw new Error('saveSession: a plugin cannot create a session; the login does (POST /auth/api/credentials)');
  }
  const key = String(token ?? '');
  const before = wereRead.get(key) ?? sessions.get(key)?.user;
  if (before == null) return { ok: false, errorCode: 'session.notFound' };
  const fields = changes(read(before), data);
  if (Object.keys(fields).length === 0) return { ok: true };
  try {
    await updateSession(fields, key);
    return { ok: true };
  } catch (error) {
    if (!(error instanceof HandlerError)) throw error;
    // Handlers of the framework seldom look at the answer.
    console.error(`saveSession: ${error.errorCode}: nothing was saved of ${Object.keys(fields).join(', ')}`);
    return { ok: false, errorCode: error.errorCode };
  }
}

/** The framework's: ends a session. Whether there was one. */
export const deleteSession = async (token) => sessions.end(String(token ?? ''));
