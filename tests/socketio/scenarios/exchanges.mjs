// The reference exchanges (Appendix C), word for word: what goes over a bare socket, in its order.
import assert from 'node:assert/strict';
import { io } from 'socket.io-client';
import { Browser, within } from '../client.mjs';

// A socket of which all that comes is kept, in its order, as [event, argument].
const open = async (url, browser) => {
  const socket = io(url, {
    forceNew: true,
    extraHeaders: browser ? { cookie: `token=${browser.token}` } : {},
    transports: ['websocket'],
  });
  const heard = [];
  let look = () => {};
  socket.onAny((...event) => {
    heard.push(event);
    look();
  });
  await within(new Promise((resolve) => socket.once('connect', resolve)), 'connect');
  // The next so many.
  const next = async (count) => {
    await within(
      new Promise((resolve) => {
        look = () => heard.length >= count && resolve();
        look();
      }),
      `${count} events; there are ${JSON.stringify(heard)}`,
    );
    return heard.splice(0, count);
  };
  return { socket, next, heard };
};

export const call_with_a_chunk = async (url) => {
  const { socket, next } = await open(url);
  socket.emit('apiRequest', { name: 'api/board/complete/v1', data: { prompt: 'hi' }, responseIndex: 7 });
  assert.deepEqual(await next(3), [
    ['apiStream-7', { chunk: 'Hel' }],
    ['apiStream-7', { chunk: 'lo' }],
    ['apiResponse-7', { status: 'success', httpStatus: 200, result: { text: 'Hello' } }],
  ]);
  socket.emit('apiRequest', { name: 'api/board/mine/v1', data: {}, responseIndex: 8 });
  const [[event, answer]] = await next(1);
  assert.equal(event, 'apiResponse-8');
  assert.deepEqual(Object.keys(answer).sort(), ['errorCode', 'httpStatus', 'message', 'status']);
  assert.deepEqual([answer.status, answer.errorCode, answer.httpStatus], ['error', 'auth.required', 401]);
  socket.disconnect();
};

export const join_then_sync_with_both_halves = async (url) => {
  const ann = await Browser.register(url, 'ann');
  const { socket, next } = await open(url, ann);
  socket.emit('joinRoom', { group: 'board-1', responseIndex: 3 });
  const [[updated, text], joined] = await next(2);
  assert.equal(updated, 'updateSession');
  assert.equal(typeof text, 'string');
  const session = JSON.parse(text);
  assert.equal(session.id, ann.id);
  assert.deepEqual(session.roomCodes, ['board-1']);
  assert.deepEqual(joined, ['joinRoom-3', { rooms: ['board-1'] }]);

  const name = 'sync/board/moveCard/v1';
  socket.emit('sync', {
    name,
    data: { card: 'c1', to: 2 },
    cb: 'board/moveCard/v1',
    receiver: 'board-1',
    responseIndex: 4,
  });
  const [[progress, handshake], ...rest] = await next(3);
  assert.equal(progress, 'sync-progress-4');
  assert.deepEqual(Object.keys(handshake), ['__cancelId']);
  assert.deepEqual(rest, [
    [
      'sync-4',
      { status: 'success', message: `sync ${name} success`, result: { status: 'success', moved: true } },
    ],
    [
      'sync',
      {
        cb: name,
        fullName: name,
        serverOutput: { status: 'success', moved: true },
        clientOutput: { status: 'success', mine: false },
        message: `${name} sync success`,
        status: 'success',
      },
    ],
  ]);
  socket.disconnect();
};

export const streams_and_cancel = async (url) => {
  const { socket, next } = await open(url, await Browser.register(url, 'ann'));
  socket.emit('joinRoom', { group: 'doc-1', responseIndex: 1 });
  await next(2);
  socket.emit('sync', {
    name: 'sync/board/render/v1',
    data: { steps: 1, hold: true },
    cb: 'board/render/v1',
    receiver: 'doc-1',
    responseIndex: 5,
  });
  const [[first, { __cancelId: cancelId }], ...rest] = await next(3);
  assert.equal(first, 'sync-progress-5');
  assert.deepEqual(rest, [
    ['sync-progress-5', { progress: 10 }],
    [
      'sync',
      { progress: 10, cb: 'board/render/v1', fullName: 'sync/board/render/v1', status: 'stream' },
    ],
  ]);
  socket.emit('syncCancel', { cb: cancelId });
  const ended = await next(2);
  assert.deepEqual(ended.map(([event]) => event), ['sync-5', 'sync']);
  socket.disconnect();
};

export const second_login_elsewhere = async (url) => {
  const first = await Browser.register(url, 'ann');
  const { socket, next, heard } = await open(url, first);
  socket.emit('getJoinedRooms', { responseIndex: 1 });
  await next(1);
  await new Browser(url).logIn('ann');
  assert.deepEqual(await next(2), [
    ['sessionReplaced', JSON.stringify({ reason: 'session-replaced', userId: first.id })],
    ['logout', 'success'],
  ]);
  const response = await fetch(`${url}/auth/logout`, {
    method: 'POST',
    headers: { cookie: `token=${first.token}`, 'content-type': 'application/json', origin: url },
    body: '{}',
  });
  assert.deepEqual([response.status, await response.json()], [200, { status: 'success', result: true }]);
  assert.ok(heard.every(([event, argument]) => event === 'logout' && argument === 'success'));
  socket.disconnect();
};
