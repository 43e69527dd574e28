// Names of services, routes and functions: the rules of the host (`host/topology/src/names.rs`), so that a
// name is refused where it is written.

const SEGMENT = /^[A-Za-z][A-Za-z0-9_-]*$/;
const MAX_SEGMENT = 128;
const MAX_VERSION = 1_000_000;

/** Why a segment of a name is none, or undefined. */
export function wrongSegment(segment) {
  if (segment === '') return 'the name is empty';
  if (segment.length > MAX_SEGMENT) return `a name has at most ${MAX_SEGMENT} characters, this one ${segment.length}`;
  if (!SEGMENT.test(segment)) return `\`${segment}\` must begin with a letter and hold only A-Z a-z 0-9 _ -`;
  return undefined;
}

/** Why the digits behind `_v` are no version, or undefined. */
export function wrongVersion(digits) {
  if (digits.length > 1 && digits.startsWith('0')) return `version \`v${digits}\` has a leading zero: write v${Number(digits)}`;
  if (Number(digits) > MAX_VERSION) return `version \`v${digits}\` is above v${MAX_VERSION}`;
  return undefined;
}

/** The name and the version of a handler file's stem, `getAll_v1`. */
export function versioned(stem) {
  const match = /^(.*)_v(\d+)$/.exec(stem);
  return match === null ? undefined : { name: match[1], version: match[2] };
}
