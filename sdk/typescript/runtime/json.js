// Payloads: JSON text in bytes.

import { decode, encode } from '#text';

export const read = (bytes) => JSON.parse(decode(bytes));

/** `undefined`, which JSON does not have, is written as `null`. */
export const write = (value) => encode(JSON.stringify(value) ?? 'null');
