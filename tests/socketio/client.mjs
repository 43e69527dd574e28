// A page of the app: the stock client of socket.io, and on it what the framework's own client does (wire
// protocol §2.4, §10.2, §10.5, §10.6).
import assert from 'node:assert/strict';
import { io } from 'socket.io-client';

// Longer than anything a test waits for may take on a busy machine.
const PATIENCE = 60_000;

// One for all requests of a page, and never the same again.
let index = 0;

export const within = (promise, what, milliseconds = PATIENCE) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not in time: ${what}`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

export class Client {
  #heard = [];
  #waiting = new Set();

  // `cookie` and `origin` are headers that a browser sends by itself; the rest are the client's options.
  constructor(url, { cookie, origin, ...options } = {}) {
    const extraHeaders = {};
    if (cookie) extraHeaders.cookie = cookie;
    if (origin) extraHeaders.origin = origin;
    this.socket = io(url, {
      forceNew: true,
      reconnectionDelay: 50,
      reconnectionDelayMax: 200,
      extraHeaders,
      ...options,
    });
    this.socket.onAny((event, ...args) => this.#hear({ event, args }));
    this.socket.on('disconnect', (reason) => this.#hear({ event: ':disconnect', args: [reason] }));
    this.socket.on('connect', () => this.#hear({ event: ':connect', args: [] }));
    this.socket.on('connect_error', (error) => this.#hear({ event: ':connect_error', args: [error] }));
  }

  // As the sample front end does it, and waits until the rooms of its session are joined.
  static async open(url, options = {}, rooms = []) {
    const client = new Client(url, options);
    await client.next(':connect');
    await client.settled(rooms);
    return client;
  }

  #hear(heard) {
    this.#heard.push(heard);
    for (const look of [...this.#waiting]) look();
  }

  // The first argument of the next event of this name that was not taken yet.
  next(event, fits = () => true) {
    const taken = new Promise((resolve) => {
      const look = () => {
        const at = this.#heard.findIndex((heard) => heard.event === event && fits(heard.args[0]));
        if (at < 0) return;
        const [heard] = this.#heard.splice(at, 1);
        this.#waiting.delete(look);
        resolve(heard.args[0]);
      };
      this.#waiting.add(look);
      look();
    });
    return within(taken, event);
  }

  // All that was heard and not taken, oldest first: [event, argument].
  take(...events) {
    const wanted = ({ event }) => (events.length ? events.includes(event) : !event.startsWith(':'));
    const taken = this.#heard.filter(wanted);
    this.#heard = this.#heard.filter((heard) => !wanted(heard));
    return taken.map(({ event, args }) => [event, args[0]]);
  }

  // Sends a request and waits for its answer; `on` hears what comes before it.
  async request(event, payload, reply, { on, started } = {}) {
    const responseIndex = ++index;
    this.socket.emit(event, { ...payload, responseIndex });
    started?.(responseIndex);
    if (on) this.socket.on(`${on.event}-${responseIndex}`, on.call);
    const answer = await this.next(`${reply}-${responseIndex}`);
    if (on) {
      this.socket.off(`${on.event}-${responseIndex}`, on.call);
      this.take(`${on.event}-${responseIndex}`);
    }
    return answer;
  }

  async api(name, data = {}, { onStream = () => {}, signal } = {}) {
    const started = (responseIndex) =>
      signal?.addEventListener('abort', () => this.socket.emit('apiCancel', { responseIndex }));
    const on = { event: 'apiStream', call: onStream };
    return this.request('apiRequest', { name: `api/${name}`, data }, 'apiResponse', { on, started });
  }

  async sync(name, receiver, data = {}, { onStream = () => {}, signal, ignoreSelf } = {}) {
    let cancelId;
    signal?.addEventListener('abort', () => this.socket.emit('syncCancel', { cb: cancelId ?? name }));
    const call = (chunk) => {
      if (typeof chunk.__cancelId === 'string') cancelId = chunk.__cancelId;
      else onStream(chunk);
    };
    const payload = { name: `sync/${name}`, data, cb: name, receiver, ignoreSelf };
    const answer = await this.request('sync', payload, 'sync', { on: { event: 'sync-progress', call } });
    assert.match(cancelId ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    return answer;
  }

  join(group) {
    return this.request('joinRoom', { group }, 'joinRoom');
  }

  leave(group) {
    return this.request('leaveRoom', { group }, 'leaveRoom');
  }

  rooms() {
    return this.request('getJoinedRooms', {}, 'getJoinedRooms');
  }

  // Until it is in these rooms: a session's are joined some time after the connection stands (§2.3).
  async settled(rooms) {
    const joined = async () => {
      const { rooms: now } = await this.rooms();
      return rooms.every((room) => now.includes(room)) || joined();
    };
    await within(joined(), `rooms ${rooms}`);
  }

  // Nothing that was sent before is still on its way when this is done.
  async flushed() {
    await this.rooms();
  }

  get transport() {
    return this.socket.io.engine.transport.name;
  }

  close() {
    this.socket.disconnect();
  }
}

// A browser of somebody who registers: what its pages connect with.
export class Browser {
  constructor(url, mode = 'cookie') {
    this.url = url;
    this.mode = mode;
  }

  async #submit(body) {
    const response = await fetch(`${this.url}/auth/api/credentials`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        origin: this.url,
        'x-session-based-token': String(this.mode === 'token'),
      },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    assert.equal(answer.authenticated, true, JSON.stringify(answer));
    this.id = answer.session.id;
    const cookie = response.headers.getSetCookie().find((cookie) => cookie.startsWith('token='));
    this.token = this.mode === 'token' ? response.headers.get('x-session-token') : cookie.slice(6).split(';')[0];
    assert.ok(this.token);
    return this;
  }

  register(name) {
    const password = `correct horse of ${name}`;
    return this.#submit({ email: `${name}@example.com`, name, password, confirmPassword: password });
  }

  logIn(name) {
    return this.#submit({ email: `${name}@example.com`, password: `correct horse of ${name}` });
  }

  // What a page of it connects with.
  get options() {
    return this.mode === 'token' ? { auth: { token: this.token } } : { cookie: `token=${this.token}` };
  }

  open(options = {}, rooms = []) {
    return Client.open(this.url, { ...this.options, ...options }, rooms);
  }

  // The same browser, its page loaded from another host of the app.
  at(url) {
    return Object.assign(new Browser(url, this.mode), { id: this.id, token: this.token });
  }

  static register(url, name, mode) {
    return new Browser(url, mode).register(name);
  }
}
