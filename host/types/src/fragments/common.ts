export type JsonPrimitive = string | number | boolean | null;
export type JsonValue = JsonPrimitive | JsonObject | JsonArray;
export type JsonObject = { [key: string]: JsonValue | undefined };
export type JsonArray = JsonValue[];
export type MaybePromise<T> = Promise<T> | T;

/** What fills a placeholder of an error's translated message. */
export type ErrorParam = { key: string; value: boolean | number | string };

/** What every call may answer instead of a success. */
export type ErrorEnvelope = {
  status: 'error';
  /** Stable key, such as `api.invalidInputType`. */
  errorCode: string;
  /** The error in the language of the caller. */
  message?: string;
  errorParams?: ErrorParam[];
  httpStatus?: number;
  [key: string]: unknown;
};

/** One chunk of a stream. */
export type StreamPayload = { [key: string]: unknown };

/** Sends a chunk to whoever called an API route. */
export type ApiStreamEmitter<T extends StreamPayload = StreamPayload> = (payload?: T) => MaybePromise<void>;
/** Sends a chunk to whoever called a sync route. */
export type SyncServerStreamEmitter<T extends StreamPayload = StreamPayload> = (payload?: T) => MaybePromise<void>;
/** Sends a chunk to the recipient that a client half runs for. */
export type SyncClientStreamEmitter<T extends StreamPayload = StreamPayload> = (payload?: T) => MaybePromise<void>;
/** Sends a chunk to the whole room. */
export type SyncBroadcastStreamEmitter<T extends StreamPayload = StreamPayload> = (payload?: T) => void;
/** Sends a chunk to the sessions with these tokens. */
export type SyncStreamToEmitter<T extends StreamPayload = StreamPayload> = (
  tokens: string[] | string,
  payload?: T,
) => void;

type HandlerError = { status: 'error'; errorCode: string; errorParams?: ErrorParam[]; httpStatus?: number };

/** What an API handler returns. */
export type ApiResponse<T = unknown> =
  | (HandlerError & { APINAME?: never })
  | (T & { status: 'success'; httpStatus?: number; APINAME?: never; [key: string]: unknown });
/** What arrives at the client. */
export type ApiNetworkResponse<T = unknown> =
  | (HandlerError & { message: string; httpStatus: number; APINAME?: never })
  | (T & { status: 'success'; httpStatus: number; APINAME?: never; [key: string]: unknown });
/** What the server half of a sync handler returns. */
export type SyncServerResponse<T = unknown> = HandlerError | (T & { status: 'success'; [key: string]: unknown });
/** What the client half of a sync handler returns. */
export type SyncClientResponse<T = unknown> = HandlerError | (T & { status: 'success'; [key: string]: unknown });

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'DELETE';

type Part<T, K extends string> = T extends { [key in K]: infer Found } ? Found : never;
type Text<T> = Extract<T, string>;
