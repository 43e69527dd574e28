// The module `luckystack/accounts`: user records, passwords, e-mail addresses. Needs the grant `accounts`.

import * as accounts from 'luckystack:plugin/accounts@0.1.0';

import { caller } from './caller.js';
import { ask } from './errors.js';
import { read, write } from './json.js';

/** The record of a user, or null. */
export async function get(userId) {
  const record = ask(() => accounts.get(String(userId)));
  return record == null ? null : read(record);
}

/** Sets fields of a record, and of the user's sessions; null removes one. The record as it is then. */
export const update = async (userId, fields) => read(ask(() => accounts.update(String(userId), write(fields))));

/** Checks a user's password: throws `login.wrongPassword` when it is another. */
export async function checkPassword(userId, password) {
  ask(() => accounts.checkPassword(String(userId), String(password)));
}

/** Sets a new password, if `current` is right. */
export async function changePassword(userId, { current, new: wanted, keep = null }) {
  // The contract takes no password for a change without a check, which a forgotten field must not become.
  if (typeof current !== 'string') {
    throw new TypeError('changePassword: `current` is the current password; setPassword changes it without one');
  }
  ask(() => accounts.changePassword(String(userId), current, String(wanted), keep));
}

/** Sets a new password without a check. */
export async function setPassword(userId, { new: wanted, keep = null }) {
  ask(() => accounts.changePassword(String(userId), null, String(wanted), keep));
}

/** Sends a link for a new password, if somebody has that address. */
export async function requestPasswordReset(email, ip = caller()?.ip ?? 'unknown') {
  ask(() => accounts.requestPasswordReset(String(email), ip));
}

/** Sets a new password with the token of such a link. */
export async function completePasswordReset(token, password) {
  ask(() => accounts.completePasswordReset(String(token), String(password)));
}

/** Sends a link to a new address, which confirms it. */
export async function requestEmailChange(userId, email) {
  ask(() => accounts.requestEmailChange(String(userId), String(email)));
}

/** Changes the address with the token of such a link. */
export async function confirmEmailChange(token) {
  ask(() => accounts.confirmEmailChange(String(token)));
}

/** Deletes a user and ends all sessions. */
export async function remove(userId) {
  ask(() => accounts.delete(String(userId)));
}
