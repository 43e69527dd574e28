// `Promise` for the small engine. Its own promises settle only when the engine drives them, which it does
// not do during a call of a synchronous export. These settle through `microtasks.js`.
//
// The bundler turns `async` functions into generators that use this class, so that nothing of a bundle
// ever waits for the engine's own.

import { enqueue } from './microtasks.js';

const PENDING = 0;
const FULFILLED = 1;
const REJECTED = 2;

/** Rejected promises that nobody has looked at yet. */
const unhandled = new Set();

/** Takes the reasons of the promises that were rejected and that nobody looked at. */
export function takeUnhandled() {
  const reasons = [...unhandled].map((promise) => promise._value);
  unhandled.clear();
  return reasons;
}

const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';

function settle(promise, state, value) {
  if (promise._state !== PENDING) return;
  promise._state = state;
  promise._value = value;
  const reactions = promise._reactions;
  promise._reactions = null;
  if (reactions.length === 0 && state === REJECTED) unhandled.add(promise);
  for (const reaction of reactions) enqueue(() => react(promise, reaction));
}

function react(promise, { onFulfilled, onRejected, resolve, reject }) {
  const handler = promise._state === FULFILLED ? onFulfilled : onRejected;
  if (typeof handler !== 'function') {
    if (promise._state === FULFILLED) resolve(promise._value);
    else reject(promise._value);
    return;
  }
  let result;
  try {
    result = handler(promise._value);
  } catch (error) {
    reject(error);
    return;
  }
  resolve(result);
}

/** The two functions that an executor gets; only the first call of either counts. */
function resolvers(promise) {
  let done = false;
  const reject = (reason) => {
    if (done) return;
    done = true;
    settle(promise, REJECTED, reason);
  };
  const resolve = (value) => {
    if (done) return;
    done = true;
    if (value === promise) {
      settle(promise, REJECTED, new TypeError('a promise cannot be resolved with itself'));
      return;
    }
    if (!isObject(value)) {
      settle(promise, FULFILLED, value);
      return;
    }
    let then;
    try {
      then = value.then;
    } catch (error) {
      settle(promise, REJECTED, error);
      return;
    }
    if (typeof then !== 'function') {
      settle(promise, FULFILLED, value);
      return;
    }
    enqueue(() => {
      const inner = resolvers(promise);
      try {
        then.call(value, inner.resolve, inner.reject);
      } catch (error) {
        inner.reject(error);
      }
    });
  };
  return { resolve, reject };
}

export class Promise {
  constructor(executor) {
    if (typeof executor !== 'function') throw new TypeError(`Promise resolver ${executor} is not a function`);
    // Not enumerable: a promise shows nothing when it is logged or written as JSON.
    Object.defineProperties(this, {
      _state: { value: PENDING, writable: true },
      _value: { value: undefined, writable: true },
      _reactions: { value: [], writable: true },
    });
    const { resolve, reject } = resolvers(this);
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  then(onFulfilled, onRejected) {
    const Species = this.constructor?.[Symbol.species] ?? Promise;
    let resolve;
    let reject;
    const next = new Species((a, b) => {
      resolve = a;
      reject = b;
    });
    const reaction = { onFulfilled, onRejected, resolve, reject };
    if (this._state === PENDING) {
      this._reactions.push(reaction);
    } else {
      unhandled.delete(this);
      enqueue(() => react(this, reaction));
    }
    return next;
  }

  catch(onRejected) {
    return this.then(undefined, onRejected);
  }

  finally(onFinally) {
    if (typeof onFinally !== 'function') return this.then(onFinally, onFinally);
    return this.then(
      (value) => Promise.resolve(onFinally()).then(() => value),
      (reason) =>
        Promise.resolve(onFinally()).then(() => {
          throw reason;
        }),
    );
  }

  static resolve(value) {
    if (value instanceof Promise && value.constructor === this) return value;
    return new this((resolve) => resolve(value));
  }

  static reject(reason) {
    return new this((_, reject) => reject(reason));
  }

  static withResolvers() {
    let resolve;
    let reject;
    const promise = new this((a, b) => {
      resolve = a;
      reject = b;
    });
    return { promise, resolve, reject };
  }

  static try(callback, ...args) {
    return new this((resolve) => resolve(callback(...args)));
  }

  static all(values) {
    return collect(this, values, (index, results, done, resolve, reject) => [
      (value) => {
        results[index] = value;
        done();
      },
      reject,
    ]);
  }

  static allSettled(values) {
    return collect(this, values, (index, results, done) => [
      (value) => {
        results[index] = { status: 'fulfilled', value };
        done();
      },
      (reason) => {
        results[index] = { status: 'rejected', reason };
        done();
      },
    ]);
  }

  static any(values) {
    return new this((resolve, reject) => {
      const errors = [];
      let left = 1;
      const done = () => {
        if (--left === 0) reject(new AggregateError(errors, 'all promises were rejected'));
      };
      let index = 0;
      for (const value of values) {
        const at = index++;
        left++;
        this.resolve(value).then(resolve, (error) => {
          errors[at] = error;
          done();
        });
      }
      done();
    });
  }

  static race(values) {
    return new this((resolve, reject) => {
      for (const value of values) this.resolve(value).then(resolve, reject);
    });
  }

  static get [Symbol.species]() {
    return this;
  }

  get [Symbol.toStringTag]() {
    return 'Promise';
  }
}

function collect(Class, values, handlers) {
  return new Class((resolve, reject) => {
    const results = [];
    let left = 1;
    const done = () => {
      if (--left === 0) resolve(results);
    };
    let index = 0;
    for (const value of values) {
      left++;
      const [onFulfilled, onRejected] = handlers(index++, results, done, resolve, reject);
      Class.resolve(value).then(onFulfilled, onRejected);
    }
    done();
  });
}

/** `Array.fromAsync`, which the engine has, but with its own promises. */
export async function fromAsync(source, map, thisArg) {
  const items = [];
  if (source[Symbol.asyncIterator] !== undefined) {
    for await (const item of source) items.push(item);
  } else {
    for (const item of Symbol.iterator in source ? source : Array.from(source)) items.push(await item);
  }
  if (map === undefined) return items;
  for (let i = 0; i < items.length; i++) items[i] = await map.call(thisArg, items[i], i);
  return items;
}
