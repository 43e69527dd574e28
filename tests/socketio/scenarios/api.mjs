// Calls over sockets (§3.1, §3.6, §3.7).
import assert from 'node:assert/strict';
import { Browser, Client } from '../client.mjs';

export const calls = async (url) => {
  const ann = await (await Browser.register(url, 'ann')).open();
  const nobody = await Client.open(url);

  const chunks = [];
  const answer = await nobody.api('board/complete/v1', { prompt: 'hi' }, { onStream: (c) => chunks.push(c) });
  assert.deepEqual(chunks, [{ chunk: 'Hel' }, { chunk: 'lo' }]);
  assert.deepEqual(answer, { status: 'success', httpStatus: 200, result: { text: 'Hello' } });

  const fails = async (client, name, data, errorCode, httpStatus) => {
    const answer = await client.api(name, data);
    const { status, errorCode: code, httpStatus: number } = answer;
    assert.deepEqual([status, code, number], ['error', errorCode, httpStatus], JSON.stringify(answer));
  };
  await fails(nobody, 'board/mine/v1', {}, 'auth.required', 401);
  await fails(nobody, 'board/nothing/v1', {}, 'api.notFound', 404);
  await fails(nobody, 'board', {}, 'routing.invalidServiceRouteName', 400);
  await fails(nobody, 'board/complete/v1', { prompt: 7 }, 'api.invalidInputType', 400);
  await fails(nobody, 'board/complete/v1', [], 'api.invalidRequest', 400);
  await fails(nobody, 'board/complete/v1', null, 'api.invalidRequest', 400);
  await fails(nobody, 'board/complete/v1', { prompt: '' }, 'board.nothingToSay', 422);
  assert.equal((await ann.api('board/mine/v1')).status, 'success');

  // An index may be text where it names a request, and a request needs a number.
  nobody.socket.emit('apiRequest', { name: 'api/board/echo/v1', data: { value: 1 } });
  nobody.socket.emit('apiRequest', { name: 'api/board/echo/v1', data: { value: 1 }, responseIndex: '9' });
  nobody.socket.emit('apiRequest', 'no object');
  await nobody.flushed();
  assert.deepEqual(nobody.take(), [], 'what has no index has no answer');
  ann.close();
  nobody.close();
};

// A call is cancelled by its own client, the others of the socket go on, and it is still answered.
export const cancelled_call = async (url) => {
  const client = await Client.open(url);
  const chunks = [];
  const stop = new AbortController();
  let ready;
  const begun = new Promise((resolve) => (ready = resolve));
  const onStream = (chunk) => {
    chunks.push(chunk);
    ready();
  };
  const lingering = client.api('board/linger/v1', {}, { onStream, signal: stop.signal });
  await begun;
  client.socket.emit('apiCancel', { responseIndex: 1_000_000 });
  client.socket.emit('apiCancel', {});
  assert.equal((await client.api('board/echo/v1', { value: 'overtakes' })).result, 'overtakes');
  stop.abort();
  assert.deepEqual(await lingering, { status: 'success', httpStatus: 200, result: { aborted: true } });
  assert.deepEqual(chunks, [{ ready: true }], 'nothing is sent after it was cancelled');
  client.close();
};
