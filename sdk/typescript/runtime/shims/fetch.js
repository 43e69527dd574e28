// `fetch` over `wasi:http`. Needs the grant `http` with the hosts that are called.
//
// Bodies are sent whole and received whole; requests that were begun together run side by side.

import * as http from 'wasi:http/outgoing-handler@0.2.12';
import { Fields, OutgoingBody, OutgoingRequest, IncomingBody } from 'wasi:http/types@0.2.12';

import { decode, encode } from '#text';
import { onReady } from '#waiting';
import { URL, URLSearchParams } from './url.js';

const METHODS = ['get', 'head', 'post', 'put', 'delete', 'connect', 'options', 'trace', 'patch'];

export class Headers {
  #values = new Map();

  constructor(init = undefined) {
    if (init instanceof Headers || Array.isArray(init)) for (const [key, value] of init) this.append(key, value);
    else for (const [key, value] of Object.entries(init ?? {})) this.append(key, value);
  }
  append(key, value) {
    const name = String(key).toLowerCase();
    this.#values.set(name, [...(this.#values.get(name) ?? []), String(value).trim()]);
  }
  set(key, value) {
    this.#values.set(String(key).toLowerCase(), [String(value).trim()]);
  }
  get(key) {
    return this.#values.get(String(key).toLowerCase())?.join(', ') ?? null;
  }
  getSetCookie() {
    return [...(this.#values.get('set-cookie') ?? [])];
  }
  has(key) {
    return this.#values.has(String(key).toLowerCase());
  }
  delete(key) {
    this.#values.delete(String(key).toLowerCase());
  }
  forEach(callback, thisArg) {
    for (const [key, value] of this) callback.call(thisArg, value, key, this);
  }
  *entries() {
    for (const key of [...this.#values.keys()].sort()) yield [key, this.get(key)];
  }
  *keys() {
    for (const [key] of this) yield key;
  }
  *values() {
    for (const [, value] of this) yield value;
  }
  [Symbol.iterator]() {
    return this.entries();
  }
}

class Body {
  #bytes;
  bodyUsed = false;

  constructor(body) {
    this.#bytes = body;
  }
  async bytes() {
    if (this.bodyUsed) throw new TypeError('the body was read already');
    this.bodyUsed = true;
    return (await this.#bytes()) ?? new Uint8Array(0);
  }
  async arrayBuffer() {
    return (await this.bytes()).slice().buffer;
  }
  async text() {
    return decode(await this.bytes());
  }
  async json() {
    return JSON.parse(await this.text());
  }
  /** The same body, for a copy. */
  _source() {
    if (this.bodyUsed) throw new TypeError('the body was read already');
    return this.#bytes;
  }
}

/** A body as bytes, and the type that goes with it. */
function bodyOf(body) {
  if (body === undefined || body === null) return [undefined, undefined];
  if (typeof body === 'string') return [encode(body), 'text/plain;charset=UTF-8'];
  if (body instanceof URLSearchParams) {
    return [encode(body.toString()), 'application/x-www-form-urlencoded;charset=UTF-8'];
  }
  if (body instanceof ArrayBuffer) return [new Uint8Array(body), undefined];
  if (ArrayBuffer.isView(body)) return [new Uint8Array(body.buffer, body.byteOffset, body.byteLength), undefined];
  throw new TypeError('a body must be a text, bytes or URLSearchParams');
}

export class Request extends Body {
  constructor(input, init = {}) {
    const from = input instanceof Request ? input : undefined;
    const [bytes, type] = init.body === undefined && from !== undefined ? [undefined, undefined] : bodyOf(init.body);
    super(init.body === undefined && from !== undefined ? from._source() : async () => bytes);
    this.url = from?.url ?? new URL(input).href;
    this.method = String(init.method ?? from?.method ?? 'GET').toUpperCase();
    this.headers = new Headers(init.headers ?? from?.headers);
    this.signal = init.signal ?? from?.signal;
    this.redirect = init.redirect ?? from?.redirect ?? 'follow';
    if (bytes !== undefined && (this.method === 'GET' || this.method === 'HEAD')) {
      throw new TypeError(`a ${this.method} request has no body`);
    }
    if (type !== undefined && !this.headers.has('content-type')) this.headers.set('content-type', type);
  }
}

export class Response extends Body {
  constructor(body = null, init = {}) {
    const [bytes, type] = typeof body === 'function' ? [undefined, undefined] : bodyOf(body);
    super(typeof body === 'function' ? body : async () => bytes);
    this.status = init.status ?? 200;
    this.statusText = init.statusText ?? '';
    this.headers = new Headers(init.headers);
    if (type !== undefined && !this.headers.has('content-type')) this.headers.set('content-type', type);
    this.url = init.url ?? '';
    this.redirected = init.redirected ?? false;
    this.type = 'basic';
  }
  get ok() {
    return this.status >= 200 && this.status < 300;
  }
  clone() {
    const source = this._source();
    let kept;
    return new Response(() => (kept ??= source()), this);
  }
  static json(value, init = {}) {
    const headers = new Headers(init.headers);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    return new Response(JSON.stringify(value), { ...init, headers });
  }
  static error() {
    return Object.assign(new Response(null, { status: 0 }), { type: 'error' });
  }
}

const MAX_REDIRECTS = 20;

export async function fetch(input, init = {}) {
  let request = new Request(input, init);
  let body = await request.bytes();
  for (let redirects = 0; ; redirects++) {
    request.signal?.throwIfAborted();
    const response = await send(request, body);
    const to = response.headers.get('location');
    const redirect = to !== null && [301, 302, 303, 307, 308].includes(response.status);
    if (!redirect || request.redirect === 'manual') {
      response.redirected = redirects > 0;
      return response;
    }
    if (request.redirect === 'error' || redirects >= MAX_REDIRECTS) throw new TypeError(`fetch failed: ${request.url} redirects`);
    const next = new URL(to, request.url);
    const headers = new Headers(request.headers);
    // Credentials belong to the origin that they were meant for.
    if (next.origin !== new URL(request.url).origin) for (const name of ['authorization', 'cookie']) headers.delete(name);
    let method = request.method;
    if (response.status === 303 || (response.status < 303 && method === 'POST')) {
      if (method !== 'HEAD') method = 'GET';
      body = new Uint8Array(0);
      headers.delete('content-type');
    }
    request = new Request(next.href, { method, headers, signal: request.signal, redirect: request.redirect });
  }
}

const failure = (url, error) => {
  const reason = error?.payload ?? error;
  const text = typeof reason?.tag === 'string' ? [reason.tag, JSON.stringify(reason.val)].filter(Boolean).join(' ') : reason;
  return Object.assign(new TypeError(`fetch failed: ${url}: ${text}`), { cause: reason });
};

async function send({ url, method, headers, signal }, body) {
  const { protocol, host, pathname, search } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`fetch failed: ${url}: only http and https`);
  try {
    const request = new OutgoingRequest(Fields.fromList([...headers].map(([key, value]) => [key, encode(value)])));
    const known = method.toLowerCase();
    request.setMethod(METHODS.includes(known) ? { tag: known } : { tag: 'other', val: method });
    request.setScheme({ tag: protocol === 'https:' ? 'HTTPS' : 'HTTP' });
    request.setAuthority(host);
    request.setPathWithQuery(pathname + search);
    const outgoing = request.body();
    const answer = http.handle(request, undefined);
    if (body.length > 0) {
      const stream = outgoing.write();
      for (let at = 0; at < body.length; at += 4096) stream.blockingWriteAndFlush(body.subarray(at, at + 4096));
      release(stream);
    }
    OutgoingBody.finish(outgoing, undefined);
    await ready(answer.subscribe(), signal);
    const response = value(value(answer.get()));
    const received = response.headers().entries().map(([key, value]) => [key, decode(value)]);
    const content = response.consume();
    return new Response(() => readAll(content, signal), { status: response.status(), headers: received, url });
  } catch (error) {
    throw error instanceof Error && error.payload === undefined ? error : failure(url, error);
  }
}

/** A result inside of another value is a pair of a tag and a value. */
function value(result) {
  if (result?.tag === 'err') throw result.val;
  return result?.tag === 'ok' ? result.val : result;
}

const release = (resource) => resource[Symbol.dispose]?.();

function ready(pollable, signal) {
  return new Promise((resolve, reject) => {
    onReady(pollable, () => {
      release(pollable);
      resolve();
    });
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function readAll(content, signal) {
  const stream = content.stream();
  const chunks = [];
  let length = 0;
  for (;;) {
    await ready(stream.subscribe(), signal);
    let chunk;
    try {
      chunk = stream.read(65536);
    } catch (error) {
      if ((error?.payload ?? error)?.tag === 'closed') break;
      throw error;
    }
    chunks.push(chunk);
    length += chunk.length;
  }
  release(stream);
  release(IncomingBody.finish(content));
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
