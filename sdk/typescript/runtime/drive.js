// Runs one call to its end, on the small engine: what the handler started, its microtasks, its timers.
//
// The rule: nothing outlives a call. Timers and promises that are left over when the answer stands are
// dropped, since there is no moment after it at which they could run.

import * as microtasks from './microtasks.js';
import { Promise, takeUnhandled } from './promise.js';
import * as waiting from './waiting.js';
import { poll } from 'wasi:io/poll@0.2.12';
import { goLive } from './live.js';

/** Told while a call waits; answers whether it wants to be told again soon. */
let watcher;

/** How long to wait between two looks of the watcher, in milliseconds. */
const SLICE = 50;

export function watch(callback) {
  watcher = callback;
}

const uncaught = (error) => console.error('uncaught:', error);

/**
 * Calls `work` and waits for its promise. Then answers with `done(value)` or `failed(error)`; what these
 * throw goes on to the host.
 */
export function drive(work, done, failed) {
  goLive();
  let outcome;
  try {
    const value = work();
    if (typeof value?.then === 'function') {
      Promise.resolve(value).then(
        (value) => (outcome = { value }),
        (error) => (outcome = { error }),
      );
    } else {
      outcome = { value };
    }
    microtasks.drain(uncaught);
    while (outcome === undefined) {
      const waits = waiting.wait(watcher === undefined ? Infinity : SLICE, poll, uncaught);
      watcher?.();
      microtasks.drain(uncaught);
      if (!waits && outcome === undefined) {
        throw new Error('the handler awaits something that nothing will ever settle: no timer and no request is open');
      }
    }
  } catch (error) {
    outcome = { error };
  }
  for (const reason of takeUnhandled()) console.warn('a promise was rejected and nobody awaits it:', reason);
  microtasks.clear();
  waiting.clear();
  watcher = undefined;
  return 'error' in outcome ? failed(outcome.error) : done(outcome.value);
}

/** The end of the module's evaluation, while the component is built. */
export function settleModules() {
  microtasks.drain((error) => {
    throw error;
  });
  microtasks.clear();
  waiting.clear();
}
