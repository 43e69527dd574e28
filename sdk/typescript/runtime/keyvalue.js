// The module `luckystack/keyvalue`: the service's own store. Needs the grant `keyvalue`.

import * as store from 'wasi:keyvalue/store@0.2.0-draft';
import * as atomics from 'wasi:keyvalue/atomics@0.2.0-draft';

import { decode, encode } from '#text';
import { read, write } from './json.js';

let bucket;
// Opened during a call; an instance keeps it.
const open = () => (bucket ??= store.open('default'));

const told = (action) => {
  try {
    return action();
  } catch (error) {
    const reason = error?.payload ?? error;
    const text = typeof reason?.tag === 'string' ? [reason.tag, reason.val].filter(Boolean).join(': ') : String(reason);
    throw error instanceof Error && error.payload === undefined ? error : new Error(`keyvalue: ${text}`);
  }
};

/** The bytes of a key, or undefined. */
export const getBytes = (key) => told(() => open().get(key)) ?? undefined;
export const setBytes = (key, bytes) => void told(() => open().set(key, bytes));

/** The text of a key, or undefined. */
export function getText(key) {
  const bytes = getBytes(key);
  return bytes === undefined ? undefined : decode(bytes);
}
export const setText = (key, text) => setBytes(key, encode(text));

/** The value of a key, kept as JSON, or undefined. */
export function get(key) {
  const bytes = getBytes(key);
  return bytes === undefined ? undefined : read(bytes);
}
export const set = (key, value) => setBytes(key, write(value));

export const remove = (key) => void told(() => open().delete(key));
export const has = (key) => told(() => open().exists(key));

/** Adds to a number, and answers with what it is then. */
export const increment = (key, delta = 1) => Number(told(() => atomics.increment(open(), key, delta)));

/** All keys. */
export function keys() {
  const found = [];
  let cursor = null;
  do {
    const page = told(() => open().listKeys(cursor));
    found.push(...page.keys);
    cursor = page.cursor ?? null;
  } while (cursor !== null);
  return found;
}
