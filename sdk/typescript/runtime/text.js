// UTF-8, by way of what the small engine does natively. Loops over characters cost it about 50 ns each;
// base64 and back costs 2, so bytes become characters (and characters bytes) through `atob` and `btoa`.

const NOT_ASCII = /[^\x00-\x7f]/;

/** @returns {string} */
export function decode(bytes) {
  const text = atob(bytes.toBase64());
  return NOT_ASCII.test(text) ? decodeURIComponent(escape(text)) : text;
}

/** @returns {Uint8Array} */
export function encode(text) {
  const bytes = NOT_ASCII.test(text) ? unescape(encodeURIComponent(text.toWellFormed())) : text;
  return Uint8Array.fromBase64(btoa(bytes));
}
