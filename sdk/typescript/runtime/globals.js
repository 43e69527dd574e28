// What handlers find in the global scope of the small engine, beside the language itself. Imported before
// every module of the author.

import * as random from 'wasi:random/random@0.2.12';

import { console } from './console.js';
import { isLive } from './live.js';
import { enqueue } from './microtasks.js';
import { Promise, fromAsync } from './promise.js';
import { clearTimeout, now, setImmediate, setInterval, setTimeout } from './waiting.js';

const untilLive = (name, timer) => (...args) => {
  if (!isLive()) {
    throw new Error(`${name} at the top level of a module: it runs when the component is built. Call it in a handler`);
  }
  return timer(...args);
};

const define = (target, members) => {
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(target, name, { value, writable: true, configurable: true });
  }
};

define(globalThis, {
  Promise,
  console,
  // The engine's own counts from when the component was built.
  performance: { now: () => (isLive() ? now() : 0) },
  queueMicrotask: (task) => enqueue(task),
  setTimeout: untilLive('setTimeout', setTimeout),
  setInterval: untilLive('setInterval', setInterval),
  setImmediate: untilLive('setImmediate', setImmediate),
  clearTimeout,
  clearInterval: clearTimeout,
  clearImmediate: clearTimeout,
});
define(Array, { fromAsync });

// The engine's generator was seeded when the component was built: every instance would yield one sequence.
const builtRandom = Math.random;
let state;
define(Math, {
  random() {
    if (!isLive()) return builtRandom();
    if (state === undefined) {
      const bytes = random.getRandomBytes(16);
      state = new Uint32Array(bytes.slice().buffer);
    }
    // sfc32: small, fast, and passes the usual tests.
    const sum = (state[0] + state[1] + state[3]) >>> 0;
    state[3] = state[3] + 1;
    state[0] = state[1] ^ (state[1] >>> 9);
    state[1] = state[2] + (state[2] << 3);
    state[2] = ((state[2] << 21) | (state[2] >>> 11)) + sum;
    return sum / 4294967296;
  },
});
