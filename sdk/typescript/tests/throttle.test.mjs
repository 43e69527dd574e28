// `createStreamThrottle`: by length, by time, at the end.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createStreamThrottle } from '../runtime/throttle.js';

test('text goes out when enough of it is there', () => {
  const sent = [];
  const throttle = createStreamThrottle({ flushEveryMs: false });
  throttle.push('x'.repeat(31), (chunk) => sent.push(chunk));
  assert.deepEqual(sent, []);
  throttle.push('y', (chunk) => sent.push(chunk));
  assert.deepEqual(sent, [{ chunk: `${'x'.repeat(31)}y` }]);
});

test('text goes out after its time, while the handler waits', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sent = [];
  const throttle = createStreamThrottle({ field: 'delta' });
  throttle.push('a', (chunk) => sent.push(chunk));
  t.mock.timers.tick(49);
  assert.deepEqual(sent, []);
  throttle.push('b', (chunk) => sent.push(chunk));
  t.mock.timers.tick(1);
  assert.deepEqual(sent, [{ delta: 'ab' }]);
  t.mock.timers.tick(1000);
  assert.equal(sent.length, 1, 'nothing is sent for nothing');
});

test('without a wait, the time is looked at when the next piece comes', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 1000;
  t.mock.method(performance, 'now', () => now);
  const sent = [];
  const throttle = createStreamThrottle();
  throttle.push('a', (chunk) => sent.push(chunk));
  now += 49;
  throttle.push('b', (chunk) => sent.push(chunk));
  assert.deepEqual(sent, []);
  now += 1;
  throttle.push('c', (chunk) => sent.push(chunk));
  assert.deepEqual(sent, [{ chunk: 'abc' }]);
});

test('what is left goes out with a flush, or is forgotten with a reset', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const sent = [];
  const throttle = createStreamThrottle();
  throttle.push('a', (chunk) => sent.push(chunk));
  throttle.flush((chunk) => sent.push(chunk));
  throttle.flush((chunk) => sent.push(chunk));
  throttle.push('b', (chunk) => sent.push(chunk));
  throttle.reset();
  throttle.push('', (chunk) => sent.push(chunk));
  t.mock.timers.tick(1000);
  assert.deepEqual(sent, [{ chunk: 'a' }]);
});
