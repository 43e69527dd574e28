// Accounts and uploads: arguments arrive in the contract's order, errors as the SDK's.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { host, json, parsed, refused } from './fake-host.mjs';

const { setCaller } = await import('../runtime/caller.js');
const accounts = await import('../runtime/accounts.js');
const uploads = await import('../runtime/uploads.js');

test('accounts', async () => {
  const calls = [];
  const noted = (name, answer) => (...args) => {
    calls.push([name, ...args]);
    return answer;
  };
  host.accounts = {
    get: (id) => (id === 'u1' ? json({ id, name: 'Ada' }) : undefined),
    update: (id, fields) => json({ id, ...parsed(fields) }),
    changePassword: noted('changePassword'),
    requestPasswordReset: noted('requestPasswordReset'),
    completePasswordReset: noted('completePasswordReset'),
    requestEmailChange: noted('requestEmailChange'),
    confirmEmailChange: noted('confirmEmailChange'),
    delete: noted('delete'),
    checkPassword: () => {
      throw refused('login.wrongPassword');
    },
  };
  setCaller({ ip: '192.0.2.1' });
  assert.deepEqual(await accounts.get('u1'), { id: 'u1', name: 'Ada' });
  assert.equal(await accounts.get('u2'), null);
  assert.deepEqual(await accounts.update('u1', { name: 'Bea' }), { id: 'u1', name: 'Bea' });
  await accounts.changePassword('u1', { current: 'old', new: 'new', keep: 't1' });
  await accounts.setPassword('u1', { new: 'new' });
  await accounts.requestPasswordReset('a@b.c');
  await accounts.requestPasswordReset('a@b.c', '192.0.2.2');
  await accounts.completePasswordReset('token', 'new');
  await accounts.requestEmailChange('u1', 'a@b.c');
  await accounts.confirmEmailChange('token');
  await accounts.remove('u1');
  assert.deepEqual(calls, [
    ['changePassword', 'u1', 'old', 'new', 't1'],
    ['changePassword', 'u1', null, 'new', null],
    ['requestPasswordReset', 'a@b.c', '192.0.2.1'],
    ['requestPasswordReset', 'a@b.c', '192.0.2.2'],
    ['completePasswordReset', 'token', 'new'],
    ['requestEmailChange', 'u1', 'a@b.c'],
    ['confirmEmailChange', 'token'],
    ['delete', 'u1'],
  ]);
  await assert.rejects(accounts.checkPassword('u1', 'x'), { name: 'HandlerError', errorCode: 'login.wrongPassword' });
});

test('a password is not changed unchecked by a forgotten field', async () => {
  host.accounts = { changePassword: () => assert.fail('the host was asked') };
  await assert.rejects(accounts.changePassword('u1', { new: 'new' }), TypeError);
  await assert.rejects(accounts.changePassword('u1', { current: null, new: 'new' }), TypeError);
});

test('uploads', async () => {
  const files = new Map();
  host.uploads = {
    put(name, data) {
      if (name.includes('/')) throw refused('uploads.invalidName', [], 400);
      files.set(name, data);
    },
    remove: (name) => files.delete(name),
  };
  await uploads.put('a.webp', new Uint8Array([1, 2]));
  await uploads.put('b.webp', new Uint8Array([3]).buffer);
  await uploads.put('c.webp', new DataView(new Uint8Array([4, 5, 6]).buffer, 1, 1));
  assert.deepEqual([...files.values()].map((bytes) => [...bytes]), [[1, 2], [3], [5]]);
  assert.deepEqual([await uploads.remove('a.webp'), await uploads.remove('a.webp')], [true, false]);
  await assert.rejects(uploads.put('../x', new Uint8Array()), { errorCode: 'uploads.invalidName', httpStatus: 400 });
  await assert.rejects(uploads.put('a.webp', 'text'), TypeError);
});
