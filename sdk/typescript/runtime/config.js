// The module `luckystack/config`: the service's own values, `[service.NAME.config]` of its preset.

import * as store from 'wasi:config/store@0.2.0-rc.1';

/** The value of a key, or undefined. Read it during a call: there is no configuration before. */
export const get = (key) => store.get(key) ?? undefined;

/** All values by key. */
export const all = () => Object.fromEntries(store.getAll());
