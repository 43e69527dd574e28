// What handlers import: from `luckystack`, and, in a project that has none of its own, from the
// framework's packages, `config` and `apiTypes.generated`.

/** Who may call a route. */
export interface AuthProps {
  /** A session is required. */
  login: boolean;
  /** Predicates on the session; all must hold. */
  additional?: AuthProp[];
}

/** One predicate on a key of the session. */
export interface AuthProp {
  key: string;
  value?: unknown;
  type?: 'string' | 'number' | 'boolean' | 'object' | 'undefined';
  nullish?: boolean;
  mustBeFalsy?: boolean;
}

/** The session of a signed-in user: the user record, with the token. */
export interface SessionLayout {
  id: string;
  token: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  [key: string]: any;
}

/** What the framework's `saveSession` answers. */
export type SaveSessionResult = { ok: true } | { ok: false; errorCode: string };

/** Functions of this and other plugins: `functions.geo.distance(args)` calls `geo/distance`. */
export interface Functions {
  session: {
    /** The live session behind a token; only the caller's own, without the grant `sessions`. */
    getSession(token: string | null | undefined): Promise<SessionLayout | null>;
    /**
     * Makes the session what `data` is: sets the fields that are not as they were when this call read the
     * session. Only fields that the service declared can be set: `{ ok: false, errorCode: 'session.fieldNotAllowed' }`.
     */
    saveSession(
      token: string | null | undefined,
      // eslint-disable-next-line @typescript-eslint/no-explicit-any
      data: { id: string; [key: string]: any },
      newUser?: false,
    ): Promise<SaveSessionResult>;
    /** Ends the session; whether there was one. */
    deleteSession(token: string | null | undefined): Promise<boolean>;
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    [name: string]: any;
  };
  tryCatch: {
    tryCatch: typeof tryCatch;
    tryCatchSync: typeof tryCatchSync;
    // eslint-disable-next-line @typescript-eslint/no-explicit-any
    [name: string]: any;
  };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  [group: string]: any;
}

export type MaybePromise<T> = T | Promise<T>;
export type StreamPayload = { [key: string]: unknown };

/** One value for a placeholder of an error's translation. */
export interface ErrorParam {
  key: string;
  value: string | number | boolean;
}

/** An answer that failed. `errorCode` is a translation key, never a sentence. */
export interface ErrorResponse {
  status: 'error';
  errorCode?: string;
  errorParams?: ErrorParam[];
  httpStatus?: number;
  message?: string;
}

/** What an API handler returns. */
export type ApiResponse<T = unknown> =
  | { status: 'success'; httpStatus?: number; result?: T; [key: string]: unknown }
  | ErrorResponse;

/** What the server half of a sync returns; the whole object becomes `serverOutput`. */
export type SyncServerResponse<T = unknown> = ({ status: 'success'; [key: string]: unknown } & T) | ErrorResponse;
/** What the client half of a sync returns; the whole object becomes `clientOutput`. */
export type SyncClientResponse<T = unknown> = ({ status: 'success'; [key: string]: unknown } & T) | ErrorResponse;

/** Sends a chunk to the caller. Answers false when nobody listens any more. */
export type ApiStreamEmitter<T extends StreamPayload = StreamPayload> = (chunk: T) => boolean;
/** Sends a chunk to the caller. */
export type SyncServerStreamEmitter<T extends StreamPayload = StreamPayload> = (chunk: T) => boolean;
/** Sends a chunk to one recipient. */
export type SyncClientStreamEmitter<T extends StreamPayload = StreamPayload> = (chunk: T) => boolean;
/** Sends a chunk to everybody in the room. */
export type SyncBroadcastStreamEmitter<T extends StreamPayload = StreamPayload> = (chunk: T) => boolean;
/** Sends a chunk to the sockets of some session tokens. */
export type SyncStreamToEmitter<T extends StreamPayload = StreamPayload> = (
  tokens: string | string[],
  chunk: T,
) => boolean;

/** What a hook may answer; nothing to go on. */
export type HookOutcome =
  | void
  | undefined
  | { replace: unknown }
  | { stop: { errorCode: string; httpStatus?: number; overrideOutput?: unknown } }
  | { stop: true; errorCode: string; httpStatus?: number; overrideOutput?: unknown };

/** Throw it to answer with an error. Errors of called functions arrive as one. */
export class HandlerError extends Error {
  constructor(
    errorCode: string,
    errorParams?: ErrorParam[] | Record<string, string | number | boolean>,
    httpStatus?: number,
  );
  readonly errorCode: string;
  readonly errorParams: ErrorParam[];
  readonly httpStatus: number | undefined;
}

/** Functions of this and other plugins, for modules that are not handlers. */
export const functions: Functions;
/** Calls a function by its full name, such as `geo/distance`. */
export function callFunction(name: string, ...args: unknown[]): Promise<unknown>;
/** The live session behind a token, or null. */
export function getSession(token: string | null | undefined): Promise<SessionLayout | null>;
/**
 * Sets fields of the caller's session, or of that behind a token, until it ends; null removes one. The session
 * as it is then. Throws a `HandlerError`: `session.fieldNotAllowed` for a field that is not in the service's
 * `session_fields`, `session.notFound`. The `user` that the handler was given stays as it was.
 */
export function updateSession(fields: Record<string, unknown>, token?: string): Promise<SessionLayout>;
/** Ends the caller's session, or that behind a token: a logout. Whether there was one to end. */
export function endSession(token?: string): Promise<boolean>;
/** The framework's way to update a session; see `Functions`. */
export const saveSession: Functions['session']['saveSession'];
/** The framework's way to end a session. */
export const deleteSession: Functions['session']['deleteSession'];

/** Who makes the running call; undefined in hooks, functions and the client half of a sync. */
export function currentCaller(): Caller | undefined;
export interface Caller {
  ip: string;
  /** Language chosen for the caller, such as `en`. */
  language: string;
  requestId: string;
  traceparent: string | undefined;
  transport: 'http' | 'socket';
}

type Write = (message: string, context?: string) => void;
/** Lines of the service's log, with their level. `console` writes there too. */
export const log: { trace: Write; debug: Write; info: Write; warn: Write; error: Write; critical: Write };

/** Waits for some milliseconds of the call. */
export function sleep(ms: number): Promise<void>;
/** Runs `work` and answers `[error, null]` or `[null, value]`. */
export function tryCatch<T, A extends unknown[]>(
  work: ((...args: A) => Promise<T> | T) | Promise<T>,
  ...args: A
): Promise<[Error, null] | [null, T]>;
/** The same for a function that answers at once. */
export function tryCatchSync<T, A extends unknown[]>(work: (...args: A) => T, ...args: A): [Error, null] | [null, T];

type Emitter = (chunk: any) => unknown;
/** Collects the pieces of a text and emits fewer, longer ones. Call `flush` at the end. */
export function createStreamThrottle(options?: {
  /** Emit when so many characters are there; 32. */
  flushAtChars?: number;
  /**
   * Emit after so many milliseconds; 50. `false`: only by length. In a handler that never awaits anything that
   * takes time, this is looked at when the next piece comes.
   */
  flushEveryMs?: number | false;
  /** Key of the text in a chunk; `chunk`. */
  field?: string;
}): { push(text: string, emitter: Emitter): void; flush(emitter: Emitter): void; reset(): void };
