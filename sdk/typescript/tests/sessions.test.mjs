// Sessions: what reaches the host, and what comes back of it.

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { host, json, parsed, refused, session } from './fake-host.mjs';

const { setCaller } = await import('../runtime/caller.js');
const { HandlerError } = await import('../runtime/errors.js');
const { changes } = await import('../runtime/session-changes.js');
const { deleteSession, endSession, getSession, saveSession, updateSession, userOf } = await import('../runtime/sessions.js');

const ADA = { id: 'u1', name: 'Ada', csrfToken: 'c', lastLogin: '2026-01-01T00:00:00.000Z', tags: ['a', { b: 1 }] };
let stored;
let updates;

beforeEach(() => {
  stored = new Map([['t1', structuredClone(ADA)]]);
  updates = [];
  host['session-api'] = {
    get: (token) => (stored.has(token) ? session(token, stored.get(token)) : null),
    update(token, fields) {
      if (!stored.has(token)) throw refused('session.notFound');
      if ('email' in parsed(fields)) throw refused('session.fieldNotAllowed', [{ key: 'field', value: json('email') }]);
      updates.push([token, parsed(fields)]);
      Object.assign(stored.get(token), parsed(fields));
      return session(token, stored.get(token));
    },
    end: (token) => stored.delete(token),
  };
  setCaller({ session: session('t1', ADA) });
});

test('a session is read by its token, which comes with it', async () => {
  assert.deepEqual(await getSession('t1'), { ...ADA, token: 't1' });
  assert.equal(await getSession('other'), null);
  assert.equal(await getSession(undefined), null);
});

test('an update without a token is the caller’s', async () => {
  assert.equal((await updateSession({ theme: 'dark' })).theme, 'dark');
  stored.set('t2', { id: 'u2' });
  await updateSession({ theme: 'light' }, 't2');
  assert.deepEqual(updates, [['t1', { theme: 'dark' }], ['t2', { theme: 'light' }]]);
  await assert.rejects(updateSession('dark'), TypeError);
});

test('a refused update is a HandlerError with its parameters', async () => {
  await assert.rejects(updateSession({ email: 'x' }), (error) => {
    assert.ok(error instanceof HandlerError);
    assert.equal(error.errorCode, 'session.fieldNotAllowed');
    assert.deepEqual(error.errorParams, [{ key: 'field', value: 'email' }]);
    return true;
  });
  setCaller({ session: null });
  await assert.rejects(updateSession({ theme: 'dark' }), { errorCode: 'session.notFound' });
});

test('a session ends once', async () => {
  assert.deepEqual([await endSession(), await endSession(), await deleteSession('t1'), await deleteSession(null)], [
    true, false, false, false,
  ]);
});

test('saveSession tells the host the fields that the handler changed', async () => {
  const user = userOf({ session: session('t1', ADA) });
  assert.deepEqual(await saveSession(user.token, { ...user, theme: 'dark' }), { ok: true });
  assert.deepEqual(updates, [['t1', { theme: 'dark' }]]);
  // The object that was handed in may be the one that is changed.
  user.theme = 'dark';
  user.tags[1].b = 2;
  assert.deepEqual(await saveSession(user.token, user), { ok: true });
  assert.deepEqual(updates[1], ['t1', { tags: ['a', { b: 2 }] }]);
  assert.deepEqual(await saveSession(user.token, user), { ok: true });
  assert.equal(updates.length, 2);
});

test('saveSession leaves alone what others changed since the handler read', async () => {
  const user = await getSession('t1');
  stored.get('t1').location = { pathName: '/elsewhere' };
  await saveSession('t1', { ...user, theme: 'dark' });
  assert.deepEqual(updates, [['t1', { theme: 'dark' }]]);
});

test('what a call read is forgotten when the next begins', async () => {
  const user = userOf({ session: session('t1', ADA) });
  setCaller({ session: null });
  stored.get('t1').name = 'Bea';
  await saveSession('t1', user);
  assert.deepEqual(updates, [['t1', { name: 'Ada' }]]);
});

test('saveSession answers as the framework does', async () => {
  assert.deepEqual(await saveSession('gone', { id: 'u1' }), { ok: false, errorCode: 'session.notFound' });
  assert.deepEqual(await saveSession('t1', { ...ADA, email: 'x' }), { ok: false, errorCode: 'session.fieldNotAllowed' });
  await assert.rejects(saveSession('t1', ADA, true), /login/);
});

test('changes are found in values, not in the order of keys', () => {
  assert.deepEqual(changes({ a: { x: 1, y: [null] } }, { a: { y: [null], x: 1 } }), {});
  assert.deepEqual(changes({ a: [1, 2] }, { a: { 0: 1, 1: 2 } }), { a: { 0: 1, 1: 2 } });
  assert.deepEqual(changes({ a: 1, id: 'u', csrfToken: 'c' }, { b: undefined, c: null }), { a: null });
  assert.deepEqual(changes({}, { at: new Date(0), constructor: 1, token: 't' }), { at: '1970-01-01T00:00:00.000Z', constructor: 1 });
});
