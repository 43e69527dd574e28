// `AbortController` and what it is made of.

export class Event {
  constructor(type, options = {}) {
    this.type = type;
    this.cancelable = options.cancelable ?? false;
    this.defaultPrevented = false;
    this.target = null;
  }
  preventDefault() {
    if (this.cancelable) this.defaultPrevented = true;
  }
  stopPropagation() {}
  stopImmediatePropagation() {
    this._stopped = true;
  }
}

export class EventTarget {
  #listeners = new Map();

  addEventListener(type, listener, options = {}) {
    if (listener == null) return;
    const all = this.#listeners.get(type) ?? [];
    if (!all.some((known) => known.listener === listener)) all.push({ listener, once: options?.once === true });
    this.#listeners.set(type, all);
  }

  removeEventListener(type, listener) {
    const all = this.#listeners.get(type) ?? [];
    this.#listeners.set(type, all.filter((known) => known.listener !== listener));
  }

  dispatchEvent(event) {
    event.target = this;
    for (const { listener, once } of [...(this.#listeners.get(event.type) ?? [])]) {
      if (once) this.removeEventListener(event.type, listener);
      if (typeof listener === 'function') listener.call(this, event);
      else listener.handleEvent(event);
      if (event._stopped) break;
    }
    this[`on${event.type}`]?.(event);
    return !event.defaultPrevented;
  }
}

const named = (name, message) => Object.defineProperty(new Error(message), 'name', { value: name });

export class AbortSignal extends EventTarget {
  #aborted = false;
  #reason;
  onabort = null;
  /** Looks whether the call was cancelled meanwhile; only on the signal of a call. */
  refresh = undefined;

  get aborted() {
    if (!this.#aborted) this.refresh?.();
    return this.#aborted;
  }

  get reason() {
    return this.#reason;
  }

  throwIfAborted() {
    if (this.aborted) throw this.#reason;
  }

  /** For controllers. */
  _abort(reason) {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason ?? named('AbortError', 'the operation was aborted');
    this.dispatchEvent(new Event('abort'));
  }

  static abort(reason) {
    const signal = new AbortSignal();
    signal._abort(reason);
    return signal;
  }

  static timeout(ms) {
    const signal = new AbortSignal();
    setTimeout(() => signal._abort(named('TimeoutError', 'the operation timed out')), ms);
    return signal;
  }

  static any(signals) {
    const signal = new AbortSignal();
    for (const source of signals) {
      if (source.aborted) signal._abort(source.reason);
      else source.addEventListener('abort', () => signal._abort(source.reason), { once: true });
    }
    return signal;
  }
}

export class AbortController {
  signal = new AbortSignal();

  abort(reason) {
    this.signal._abort(reason);
  }
}
