// Errors as authors throw them and as the contract carries them.

import { read, write } from './json.js';

/** An answer with `status: 'error'`, to be thrown. Errors of other plugins' functions arrive as one. */
export class HandlerError extends Error {
  constructor(errorCode, errorParams = [], httpStatus = undefined) {
    super(errorCode);
    this.name = 'HandlerError';
    this.errorCode = errorCode;
    this.errorParams = Array.isArray(errorParams)
      ? errorParams
      : Object.entries(errorParams).map(([key, value]) => ({ key, value }));
    this.httpStatus = httpStatus;
  }
}

/** The contract's record of an error. */
export const record = (errorCode, errorParams, httpStatus) => ({
  errorCode,
  errorParams: errorParams.map(({ key, value }) => ({ key: String(key), value: write(value) })),
  httpStatus: httpStatus ?? null,
});

/** An error of the contract, to be thrown at an author. */
const fromRecord = (error) =>
  new HandlerError(
    error.errorCode,
    (error.errorParams ?? []).map(({ key, value }) => ({ key, value: read(value) })),
    error.httpStatus ?? undefined,
  );

/** Whether something thrown is the contract's record. */
const isRecord = (error) =>
  typeof error === 'object' && error !== null && typeof error.errorCode === 'string' && !(error instanceof Error);

/** Asks the host. The error of the contract that it throws is thrown on as a `HandlerError`. */
export function ask(action) {
  try {
    return action();
  } catch (error) {
    const inner = isRecord(error) ? error : error?.payload;
    throw isRecord(inner) ? fromRecord(inner) : error;
  }
}

/**
 * What a thrown error becomes: a `HandlerError` is the answer that it says, anything else is a failure of
 * the handler, told to the log with its stack and to the client as `code`.
 */
export function answer(error, code, httpStatus) {
  if (error instanceof HandlerError) return record(error.errorCode, error.errorParams, error.httpStatus);
  console.error(error);
  return record(code, [], httpStatus);
}
