// The module `luckystack/keyvalue`: the service's own store, which other services cannot see. Importing it
// asks for the grant `keyvalue`.

/** The value of a key, kept as JSON, or undefined. */
export function get<T = unknown>(key: string): T | undefined;
export function set(key: string, value: unknown): void;
/** The text of a key as other languages wrote it, or undefined. */
export function getText(key: string): string | undefined;
export function setText(key: string, text: string): void;
/** The bytes of a key, or undefined. */
export function getBytes(key: string): Uint8Array | undefined;
export function setBytes(key: string, bytes: Uint8Array): void;
export function remove(key: string): void;
export function has(key: string): boolean;
/** Adds to a number at once, whoever else does, and answers with what it is then. */
export function increment(key: string, delta?: number): number;
/** All keys. */
export function keys(): string[];
