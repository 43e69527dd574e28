// The mappings of a source map, as far as lines go.

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]));

/** For each line of the output, the source and the line (from 0) that its first segment names. */
export function decode(mappings) {
  let source = 0;
  let line = 0;
  return mappings.split(';').map((text) => {
    let first;
    for (const segment of text.split(',')) {
      const [, sourceDelta, lineDelta] = numbers(segment);
      if (sourceDelta === undefined) continue;
      source += sourceDelta;
      line += lineDelta;
      first ??= { source, line };
    }
    return first;
  });
}

/** Signed numbers in base 64, five bits a digit, the lowest bit of the first being the sign. */
function numbers(segment) {
  const found = [];
  let value = 0;
  let shift = 0;
  for (const char of segment) {
    const digit = VALUES.get(char);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit & 32) continue;
    found.push(value & 1 ? -(value >>> 1) : value >>> 1);
    value = 0;
    shift = 0;
  }
  return found;
}
