// The small engine's promises behave like the language's own.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as microtasks from '../runtime/microtasks.js';
import { Promise as Own, takeUnhandled } from '../runtime/promise.js';

const Native = Promise;

/** Runs `work` with a class of promises; what it logs, in order. */
async function logged(Class, work) {
  const log = [];
  work(Class, (text) => log.push(text));
  microtasks.drain((error) => {
    throw error;
  });
  await new Native((resolve) => setTimeout(resolve, 0));
  return log;
}

const cases = {
  'reactions run after the code that is running, in order': (P, log) => {
    P.resolve(1).then((value) => log(`a${value}`));
    P.resolve(2).then((value) => log(`b${value}`)).then(() => log('c'));
    log('first');
  },
  'a promise takes on the state of another, later': (P, log) => {
    const inner = new P((resolve) => P.resolve().then(() => resolve('inner')));
    P.resolve().then(() => inner).then(log);
    P.resolve().then(() => log('1')).then(() => log('2')).then(() => log('3')).then(() => log('4')).then(() => log('5'));
  },
  'thenables are asked once, and their exceptions count before an answer only': (P, log) => {
    P.resolve({ then: (resolve) => { resolve('yes'); throw new Error('late'); } }).then(log);
    P.resolve({ get then() { throw new Error('getter'); } }).catch((error) => log(error.message));
  },
  'errors pass over handlers that do not take them': (P, log) => {
    P.reject(new Error('x')).then(() => log('never')).finally(() => log('finally')).catch((error) => log(error.message));
    P.resolve(1).finally(() => { throw new Error('from finally'); }).catch((error) => log(error.message));
  },
  'a promise cannot be its own answer': (P, log) => {
    let resolve;
    const promise = new P((r) => { resolve = r; });
    promise.catch((error) => log(error.constructor.name));
    resolve(promise);
  },
  'the combinators': (P, log) => {
    P.all([1, P.resolve(2), { then: (r) => r(3) }]).then((all) => log(JSON.stringify(all)));
    P.all([]).then((all) => log(JSON.stringify(all)));
    P.all([P.reject('no'), 1]).catch((error) => log(error));
    P.allSettled([P.reject('no'), 1]).then((all) => log(JSON.stringify(all)));
    P.any([P.reject(1), P.resolve(2)]).then((value) => log(value));
    P.any([P.reject(1)]).catch((error) => log(`${error.constructor.name} ${error.errors}`));
    P.race([new P(() => {}), P.resolve('quick')]).then(log);
  },
  'only the first answer counts': (P, log) => {
    new P((resolve, reject) => { resolve('a'); reject('b'); resolve('c'); throw new Error('d'); }).then(log);
  },
};

for (const [name, work] of Object.entries(cases)) {
  test(name, async () => {
    assert.deepEqual((await logged(Own, work)).sort(), (await logged(Native, work)).sort());
  });
}

test('the order of reactions is that of the language', async () => {
  for (const name of ['reactions run after the code that is running, in order', 'a promise takes on the state of another, later']) {
    assert.deepEqual(await logged(Own, cases[name]), await logged(Native, cases[name]));
  }
});

test('a rejection that nobody takes is noticed, one that is taken later is not', () => {
  takeUnhandled();
  Own.reject('lost');
  const taken = Own.reject('found');
  taken.catch(() => {});
  microtasks.drain(assert.fail);
  assert.deepEqual(takeUnhandled(), ['lost']);
});

test('a microtask that throws does not keep the others from running', () => {
  const log = [];
  microtasks.enqueue(() => {
    throw new Error('x');
  });
  microtasks.enqueue(() => log.push('ran'));
  microtasks.drain((error) => log.push(error.message));
  assert.deepEqual(log, ['x', 'ran']);
});
