// Rooms (§2.7).
import assert from 'node:assert/strict';
import { Browser, Client } from '../client.mjs';

export const rooms = async (url) => {
  const browser = await Browser.register(url, 'ann');
  const page = await browser.open();
  const nobody = await Client.open(url);

  assert.deepEqual(await page.rooms(), { rooms: [] });
  assert.deepEqual(await page.join('  board-1 '), { rooms: ['board-1'] });
  assert.deepEqual(await page.join('board-2'), { rooms: ['board-1', 'board-2'] });
  assert.deepEqual(await page.join('board-1'), { rooms: ['board-1', 'board-2'] });
  assert.deepEqual(await page.leave('board-1'), { rooms: ['board-2'] });
  assert.deepEqual(await page.leave('never joined'), { rooms: ['board-2'] });
  const told = page.take('updateSession').map(([, text]) => JSON.parse(text));
  assert.deepEqual(told.at(-1).roomCodes, ['board-2']);
  assert.ok(told.every((session) => session.id === browser.id && typeof session.avatar === 'string'));
  assert.ok(told.every((session) => !('token' in session) && typeof session.csrfToken === 'string'));

  // Another tab joins what the session has, and moves for itself.
  const tab = await browser.open({}, ['board-2']);
  await tab.join('board-3');
  assert.deepEqual(await page.rooms(), { rooms: ['board-2'] });
  assert.deepEqual(await tab.rooms(), { rooms: ['board-2', 'board-3'] });

  const fails = (answer, errorCode, more = {}) => {
    const { status, errorCode: code } = answer;
    assert.deepEqual([status, code], ['error', errorCode], JSON.stringify(answer));
    for (const [key, value] of Object.entries(more)) assert.deepEqual(answer[key], value);
  };
  fails(await page.join('   '), 'room.invalid');
  fails(await page.join('x'.repeat(257)), 'room.invalid');
  fails(await page.join(7), 'room.invalid');
  fails(await nobody.join('board-1'), 'auth.required');
  fails(await nobody.leave('board-1'), 'auth.required');
  fails(await nobody.rooms(), 'auth.required', { rooms: [] });
  page.socket.emit('joinRoom', { group: 'silently' });
  assert.deepEqual(await page.rooms(), { rooms: ['board-2'] }, 'a request without an index is dropped');
  for (const client of [page, tab, nobody]) client.close();
};

// The oldest rooms make place for new ones.
export const more_rooms_than_a_session_may_have = async (url) => {
  const page = await (await Browser.register(url, 'ann')).open();
  for (const room of ['a', 'b', 'c']) await page.join(room);
  assert.deepEqual(await page.join('d'), { rooms: ['b', 'c', 'd'] });
  assert.deepEqual(await page.join('b'), { rooms: ['b', 'c', 'd'] });
  page.close();
};
