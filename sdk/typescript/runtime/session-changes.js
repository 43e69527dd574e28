// What a handler changed in a session object, for hosts that are told the changes and not the whole.

/** Fields that the framework sets. A handler that leaves them out does not mean to remove them. */
const FRAMEWORK = [
  'id', 'token', 'csrfToken', 'roomCodes', 'location', 'email', 'provider', 'lastLogin', 'previousLogin', 'code', 'codes',
];

const isObject = (value) => typeof value === 'object' && value !== null;

/** Whether two JSON values are the same, in whatever order their keys stand. */
function same(a, b) {
  if (a === b || (a ?? null) === (b ?? null)) return true;
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

/** The fields of `after` that are not those of `before`; null for those that it no longer has. */
export function changes(before, after) {
  // As it would be stored: dates as texts, no undefined.
  const wanted = JSON.parse(JSON.stringify(after));
  const had = (key) => (Object.hasOwn(before, key) ? before[key] : undefined);
  const changed = {};
  for (const [key, value] of Object.entries(wanted)) {
    // The token is added when a session is read and is no part of it.
    if (key !== 'token' && !same(had(key), value)) changed[key] = value;
  }
  for (const key of Object.keys(before)) {
    if (!Object.hasOwn(wanted, key) && !FRAMEWORK.includes(key)) changed[key] = null;
  }
  return changed;
}
