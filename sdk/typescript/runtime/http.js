// The module `luckystack/http`: `fetch` and what belongs to it, by name instead of in the global scope.

export { Headers, Request, Response, fetch } from './shims/fetch.js';
