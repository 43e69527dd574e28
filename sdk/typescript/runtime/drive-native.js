// Runs one call to its end, on an engine that drives its own promises and timers.

import { goLive } from './live.js';

export function watch() {}

export async function drive(work, done, failed) {
  goLive();
  let value;
  try {
    value = await work();
  } catch (error) {
    return failed(error);
  }
  return done(value);
}

export function settleModules() {}
