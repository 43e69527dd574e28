// What a call waits for when nothing is left to run: timers, and events of the host.

import * as clock from 'wasi:clocks/monotonic-clock@0.2.12';

/** Timers by id, each with the moment it is due, in milliseconds of `now`. */
const timers = new Map();
/** Events of the host: `{ pollable, ready }`. */
let events = [];
let nextId = 1;

/** Milliseconds of a clock that never goes back. */
export function now() {
  return Number(clock.now()) / 1e6;
}

function add(callback, delay, args, interval) {
  if (typeof callback !== 'function') throw new TypeError('a timer needs a function');
  const ms = Math.max(0, Number(delay) || 0);
  const id = nextId++;
  // The order of timers that are due at one moment is that of their ids.
  timers.set(id, { id, due: now() + ms, callback, args, interval: interval ? Math.max(1, ms) : undefined });
  return id;
}

export const setTimeout = (callback, delay, ...args) => add(callback, delay, args, false);
export const setInterval = (callback, delay, ...args) => add(callback, delay, args, true);
export const setImmediate = (callback, ...args) => add(callback, 0, args, false);
export const clearTimeout = (id) => void timers.delete(id);

/** Calls `ready` once `pollable` (`wasi:io/poll`) is. */
export function onReady(pollable, ready) {
  events.push({ pollable, ready });
}

function earliest() {
  let first;
  for (const timer of timers.values()) {
    if (first === undefined || timer.due < first.due) first = timer;
  }
  return first;
}

/**
 * Waits until something happened, at most `slice` milliseconds, and runs what is due. Answers whether
 * there was anything to wait for. `poll` waits for several pollables; it is there when events are used.
 */
export function wait(slice, poll, failed) {
  const timer = earliest();
  if (timer === undefined && events.length === 0) return false;
  const left = timer === undefined ? Infinity : timer.due - now();
  const pause = Math.min(left, slice);
  if (events.length > 0) {
    const pollables = events.map((event) => event.pollable);
    if (pause !== Infinity) pollables.push(clock.subscribeDuration(Math.max(0, Math.ceil(pause * 1e6))));
    const ready = new Set(poll(pollables));
    const happened = events.filter((_, index) => ready.has(index));
    events = events.filter((_, index) => !ready.has(index));
    for (const event of happened) attempt(event.ready, [], failed);
  } else if (pause > 0) {
    clock.subscribeDuration(Math.ceil(pause * 1e6)).block();
  }
  if (timer !== undefined && timer.due <= now() && timers.has(timer.id)) {
    if (timer.interval === undefined) timers.delete(timer.id);
    else timer.due = now() + timer.interval;
    attempt(timer.callback, timer.args, failed);
  }
  return true;
}

function attempt(callback, args, failed) {
  try {
    callback(...args);
  } catch (error) {
    failed(error);
  }
}

/** Forgets everything that is waited for. */
export function clear() {
  timers.clear();
  events = [];
}
