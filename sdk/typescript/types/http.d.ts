// The module `luckystack/http`: `fetch` and what belongs to it, by name instead of in the global scope.
// Using either asks for the grant `http`.

declare const fetch_: typeof fetch;
declare const Headers_: typeof Headers;
declare const Request_: typeof Request;
declare const Response_: typeof Response;
export { fetch_ as fetch, Headers_ as Headers, Request_ as Request, Response_ as Response };
