// Events of the host, on an engine that has its own timers.

import * as clock from 'wasi:clocks/monotonic-clock@0.2.12';
import { poll } from 'wasi:io/poll@0.2.12';

/** How long a look at the events may keep timers waiting, in nanoseconds. */
const SLICE = 10_000_000;

let events = [];
let scheduled = false;

/** Calls `ready` once `pollable` is. Those that were begun together are waited for together. */
export function onReady(pollable, ready) {
  events.push({ pollable, ready });
  schedule();
}

function schedule() {
  if (scheduled || events.length === 0) return;
  scheduled = true;
  setTimeout(look, 0);
}

function look() {
  scheduled = false;
  const pause = clock.subscribeDuration(BigInt(SLICE));
  const happened = new Set(poll([...events.map(({ pollable }) => pollable), pause]));
  pause[Symbol.dispose]?.();
  const ready = events.filter((_, index) => happened.has(index));
  events = events.filter((_, index) => !happened.has(index));
  for (const event of ready) event.ready();
  schedule();
}
