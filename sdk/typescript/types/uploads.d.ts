// The module `luckystack/uploads`: files that everybody may read at `/uploads/<name>`. Importing it asks for
// the grant `uploads`.

/**
 * Puts a file up, or replaces it, as a whole. `name` is `<id>.<extension>`: an id of letters, digits, `-` and
 * `_`, and an extension of the project's `uploads.formats`. Throws a `HandlerError`: `uploads.invalidName`,
 * `uploads.tooLarge`.
 *
 * The bytes are served as they are given: decode and re-encode what a user sent.
 */
export function put(name: string, data: Uint8Array | ArrayBuffer): Promise<void>;
/** Takes a file down; whether it was there. */
export function remove(name: string): Promise<boolean>;
