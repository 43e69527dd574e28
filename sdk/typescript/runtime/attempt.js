// `tryCatch`: errors as values.

const asError = (error) => (error instanceof Error ? error : new Error(String(error)));

/** Runs `work` and answers `[error, null]` or `[null, value]`. */
export async function tryCatch(work, ...args) {
  try {
    return [null, await (typeof work === 'function' ? work(...args) : work)];
  } catch (error) {
    return [asError(error), null];
  }
}

/** The same for a function that answers at once. */
export function tryCatchSync(work, ...args) {
  try {
    return [null, work(...args)];
  } catch (error) {
    return [asError(error), null];
  }
}
