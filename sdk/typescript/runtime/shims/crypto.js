// `crypto`: randomness. (Hashes and ciphers are not part of it: `crypto.subtle` does not exist.)

import * as random from 'wasi:random/random@0.2.12';

const hex = (bytes) => bytes.toHex();

export const crypto = {
  getRandomValues(array) {
    if (!ArrayBuffer.isView(array)) throw new TypeError('getRandomValues: a typed array was expected');
    if (array.byteLength > 65536) throw new DOMException('at most 65536 bytes at once', 'QuotaExceededError');
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    bytes.set(random.getRandomBytes(bytes.length));
    return array;
  },
  randomUUID() {
    const bytes = Uint8Array.from(random.getRandomBytes(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const text = hex(bytes);
    return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
  },
};
