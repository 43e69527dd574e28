// `TextEncoder` and `TextDecoder`, for UTF-8.

import { encode } from '../text.js';

const NOT_ASCII = /[^\x00-\x7f]/;

export class TextEncoder {
  encoding = 'utf-8';

  encode(text = '') {
    return encode(String(text));
  }

  encodeInto(text, target) {
    let read = 0;
    let written = 0;
    for (const char of text) {
      const bytes = encode(char);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += char.length;
    }
    return { read, written };
  }
}

export class TextDecoder {
  encoding = 'utf-8';

  constructor(label = 'utf-8', { fatal = false, ignoreBOM = false } = {}) {
    if (!/^\s*(utf-?8|unicode-1-1-utf-8)\s*$/i.test(label)) throw new RangeError(`TextDecoder: only utf-8, not ${label}`);
    this.fatal = fatal;
    this.ignoreBOM = ignoreBOM;
  }

  decode(input = new Uint8Array(0), options = {}) {
    if (options.stream) throw new TypeError('TextDecoder: decoding in pieces is not supported');
    const bytes = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
    let text = atob(bytes.toBase64());
    if (NOT_ASCII.test(text)) {
      try {
        text = decodeURIComponent(escape(text));
      } catch {
        if (this.fatal) throw new TypeError('TextDecoder: the bytes are not UTF-8');
        text = lossy(bytes);
      }
    }
    return !this.ignoreBOM && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }
}

/** With U+FFFD for each longest piece that begins no character. */
function lossy(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++];
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    const more = first >= 0xc2 && first <= 0xdf ? 1 : first >= 0xe0 && first <= 0xef ? 2 : first >= 0xf0 && first <= 0xf4 ? 3 : 0;
    let code = first & (0x3f >> more);
    let taken = 0;
    while (taken < more) {
      const next = bytes[at];
      // The second byte decides on overlong forms, surrogates and what lies past the last character.
      const low = taken > 0 ? 0x80 : first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
      const high = taken > 0 ? 0xbf : first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
      if (next === undefined || next < low || next > high) break;
      code = (code << 6) | (next & 0x3f);
      at++;
      taken++;
    }
    text += more > 0 && taken === more ? String.fromCodePoint(code) : '\ufffd';
  }
  return text;
}
