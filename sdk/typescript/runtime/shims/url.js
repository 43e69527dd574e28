// `URL` and `URLSearchParams`, for addresses of the web. Host names are taken as they are, in lower case:
// there is no conversion of other scripts (punycode), and no `file:` addresses of Windows.

const PORTS = { 'http:': '80', 'https:': '443', 'ws:': '80', 'wss:': '443', 'ftp:': '21' };
const PARTS = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(\?[^#]*)?(#.*)?$/s;

const quote = (text, keep) => encodeURI(text).replace(/%25/g, '%').replace(/%5B/g, '[').replace(/%5D/g, ']').replace(keep, escapeAll);
const escapeAll = (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

export class URLSearchParams {
  #pairs = [];
  #changed;

  constructor(init = '', changed = undefined) {
    this.#changed = changed;
    if (typeof init === 'string') this.#read(init);
    else if (Symbol.iterator in Object(init)) for (const [key, value] of init) this.#pairs.push([`${key}`, `${value}`]);
    else for (const [key, value] of Object.entries(init ?? {})) this.#pairs.push([key, `${value}`]);
  }

  #read(text) {
    const decode = (part) => {
      const spaced = part.replace(/\+/g, ' ');
      try {
        return decodeURIComponent(spaced);
      } catch {
        return spaced;
      }
    };
    for (const part of text.replace(/^\?/, '').split('&')) {
      if (part === '') continue;
      const at = part.indexOf('=');
      this.#pairs.push(at < 0 ? [decode(part), ''] : [decode(part.slice(0, at)), decode(part.slice(at + 1))]);
    }
  }

  #told() {
    this.#changed?.(this.toString());
  }

  get size() {
    return this.#pairs.length;
  }
  append(key, value) {
    this.#pairs.push([`${key}`, `${value}`]);
    this.#told();
  }
  delete(key) {
    this.#pairs = this.#pairs.filter(([name]) => name !== `${key}`);
    this.#told();
  }
  get(key) {
    return this.#pairs.find(([name]) => name === `${key}`)?.[1] ?? null;
  }
  getAll(key) {
    return this.#pairs.filter(([name]) => name === `${key}`).map(([, value]) => value);
  }
  has(key) {
    return this.#pairs.some(([name]) => name === `${key}`);
  }
  set(key, value) {
    const first = this.#pairs.find(([name]) => name === `${key}`);
    if (first === undefined) {
      this.append(key, value);
      return;
    }
    first[1] = `${value}`;
    this.#pairs = this.#pairs.filter((pair) => pair === first || pair[0] !== `${key}`);
    this.#told();
  }
  sort() {
    this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#told();
  }
  forEach(callback, thisArg) {
    for (const [key, value] of this.#pairs) callback.call(thisArg, value, key, this);
  }
  entries() {
    return this.#pairs.map((pair) => [...pair])[Symbol.iterator]();
  }
  keys() {
    return this.#pairs.map(([key]) => key)[Symbol.iterator]();
  }
  values() {
    return this.#pairs.map(([, value]) => value)[Symbol.iterator]();
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  toString() {
    const encode = (text) => encodeURIComponent(text.toWellFormed()).replace(/[!'()~]/g, escapeAll).replace(/%20/g, '+');
    return this.#pairs.map(([key, value]) => `${encode(key)}=${encode(value)}`).join('&');
  }
}

/** `.` and `..` resolved. */
function normal(path) {
  const out = [];
  const segments = path.split('/');
  segments.forEach((segment, index) => {
    const last = index === segments.length - 1;
    if (/^(\.|%2e)$/i.test(segment)) {
      if (last) out.push('');
    } else if (/^(\.|%2e){2}$/i.test(segment)) {
      if (out.length > 1) out.pop();
      if (last) out.push('');
    } else {
      out.push(segment);
    }
  });
  return out.join('/');
}

export class URL {
  #parts;
  #params;

  constructor(input, base = undefined) {
    const text = String(input).trim().replace(/[\t\n\r]/g, '');
    const invalid = () => Object.assign(new TypeError(`Invalid URL: ${text}`), { code: 'ERR_INVALID_URL', input: text });
    const from = base === undefined ? undefined : new URL(base);
    let [, scheme, authority, path, query, hash] = PARTS.exec(text) ?? [];
    if (scheme === undefined && from === undefined) throw invalid();
    const protocol = scheme === undefined ? from.protocol : `${scheme.toLowerCase()}:`;
    const special = protocol in PORTS;
    if (special) path = path.replace(/\\/g, '/');
    let user = '';
    let password = '';
    let hostname = '';
    let port = '';
    if (authority !== undefined) {
      const [, credentials, host, , number] = /^(?:(.*)@)?(\[[^\]]*\]|[^:]*)(:(\d*))?$/s.exec(authority) ?? [];
      if (host === undefined || (special && host === '') || /[\s<>^|%]/.test(host) || Number(number) > 65535) throw invalid();
      [user, password = ''] = (credentials ?? '').split(/:(.*)/s);
      hostname = host.toLowerCase();
      port = number === undefined || number === '' || number === PORTS[protocol] ? '' : String(Number(number));
    } else if (scheme === undefined) {
      ({ username: user, password, hostname, port } = from);
      if (path === '') {
        path = from.pathname;
        query ??= from.search;
      } else if (!path.startsWith('/')) {
        path = `${from.pathname.replace(/[^/]*$/, '')}${path}`;
      }
    } else if (special) {
      throw invalid();
    }
    if (special && !path.startsWith('/')) path = `/${path}`;
    this.#parts = {
      protocol,
      opaque: !special && authority === undefined && !path.startsWith('/'),
      slashes: special || authority !== undefined || (scheme === undefined && from.host !== ''),
      user: quote(user, /[/:;=@[\]^|]/g),
      password: quote(password, /[/:;=@[\]^|]/g),
      hostname,
      port,
      path: special ? normal(quote(path, /[?`{}"<>^]/g)) : path,
      query: query === undefined || query === '?' ? '' : quote(query, special ? /['"<>]/g : /["<>]/g),
      hash: hash === undefined || hash === '#' ? '' : quote(hash, /["<>`]/g),
    };
  }

  static canParse(input, base) {
    return URL.parse(input, base) !== null;
  }
  static parse(input, base) {
    try {
      return new URL(input, base);
    } catch {
      return null;
    }
  }

  get protocol() { return this.#parts.protocol; }
  set protocol(value) { this.#parts.protocol = `${String(value).replace(/:.*$/s, '').toLowerCase()}:`; }
  get username() { return this.#parts.user; }
  set username(value) { this.#parts.user = encodeURIComponent(value); }
  get password() { return this.#parts.password; }
  set password(value) { this.#parts.password = encodeURIComponent(value); }
  get hostname() { return this.#parts.hostname; }
  set hostname(value) { this.#parts.hostname = String(value).toLowerCase(); }
  get port() { return this.#parts.port; }
  set port(value) { this.#parts.port = String(value) === PORTS[this.protocol] ? '' : String(value); }
  get host() { return this.hostname + (this.port === '' ? '' : `:${this.port}`); }
  set host(value) {
    const [, hostname, port = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(String(value)) ?? [];
    if (hostname === undefined) return;
    this.hostname = hostname;
    this.port = port;
  }
  get origin() { return this.protocol in PORTS ? `${this.protocol}//${this.host}` : 'null'; }
  get pathname() { return this.#parts.path; }
  set pathname(value) {
    const path = String(value);
    this.#parts.path = normal(quote(path.startsWith('/') ? path : `/${path}`, /[?#`{}"<>^]/g));
  }
  get search() { return this.#parts.query; }
  set search(value) {
    const text = String(value).replace(/^\?/, '');
    this.#parts.query = text === '' ? '' : quote(`?${text}`, /[#'"<>]/g);
    this.#params = undefined;
  }
  get hash() { return this.#parts.hash; }
  set hash(value) {
    const text = String(value).replace(/^#/, '');
    this.#parts.hash = text === '' ? '' : `#${quote(text, /["<>`]/g)}`;
  }
  get searchParams() {
    this.#params ??= new URLSearchParams(this.search, (text) => {
      this.#parts.query = text === '' ? '' : `?${text}`;
    });
    return this.#params;
  }
  get href() {
    const { user, password, slashes } = this.#parts;
    const credentials = user === '' && password === '' ? '' : `${user}${password === '' ? '' : `:${password}`}@`;
    return `${this.protocol}${slashes ? '//' : ''}${credentials}${this.host}${this.pathname}${this.search}${this.hash}`;
  }
  toString() { return this.href; }
  toJSON() { return this.href; }
}
