// The module `luckystack/uploads`: files that everybody may read. Needs the grant `uploads`.

import * as uploads from 'luckystack:plugin/uploads@0.1.0';

import { ask } from './errors.js';

function bytesOf(data) {
  if (data instanceof Uint8Array) return data;
  if (data instanceof ArrayBuffer) return new Uint8Array(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw new TypeError('put: the data of an upload are bytes: a Uint8Array or an ArrayBuffer');
}

/** Puts a file up at `/uploads/<name>`, or replaces it. */
export async function put(name, data) {
  const bytes = bytesOf(data);
  ask(() => uploads.put(String(name), bytes));
}

/** Takes a file down; whether it was there. */
export const remove = async (name) => ask(() => uploads.remove(String(name)));
