// The module `luckystack/config`: the service's own values, `[service.NAME.config]` of its preset.

/** The value of a key, or undefined. Read it in a handler: there is no configuration before a call. */
export function get(key: string): string | undefined;
/** All values by key. */
export function all(): Record<string, string>;
