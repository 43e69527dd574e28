// Ways to be connected, and to lose it (§2.1, §2.2, §2.10).
import assert from 'node:assert/strict';
import { Browser, Client, within } from '../client.mjs';

// Small and large, there and back.
const converse = async (client) => {
  for (const value of ['ä', { nested: [1, null, '😀'] }, 'x'.repeat(500_000)]) {
    const answer = await client.api('board/echo/v1', { value });
    assert.deepEqual(answer, { status: 'success', httpStatus: 200, result: value });
  }
};

export const polling_alone = async (url) => {
  const client = await Client.open(url, { transports: ['polling'] });
  await converse(client);
  assert.equal(client.transport, 'polling');
  client.close();
};

export const websocket_alone = async (url) => {
  const client = await Client.open(url, { transports: ['websocket'] });
  await converse(client);
  assert.equal(client.transport, 'websocket');
  client.close();
};

// Nothing is lost and nothing overtaken while the transport changes.
export const upgrade = async (url) => {
  const client = new Client(url);
  const upgraded = new Promise((resolve) => client.socket.io.engine.once('upgrade', resolve));
  assert.equal(client.transport, 'polling');
  await client.next(':connect');
  let done = false;
  within(upgraded, 'upgrade').then(() => (done = true), () => {});
  let calls = 0;
  do {
    const values = Array.from({ length: 20 }, (_, number) => 1000 * calls + number);
    const answers = await Promise.all(values.map((value) => client.api('board/echo/v1', { value })));
    assert.deepEqual(answers.map((answer) => answer.result), values);
    calls += 1;
  } while (!done);
  await converse(client);
  assert.equal(client.transport, 'websocket');
  client.close();
};

// What the framework does not use is carried all the same: acknowledgements, attachments, several arguments.
export const what_the_framework_does_not_use = async (url) => {
  for (const transports of [['polling'], ['websocket']]) {
    const client = await Client.open(url, { transports });
    client.socket.emit('nobody listens', 1, 'two', { three: [3] });
    client.socket.emit('attached', Buffer.from([0, 1, 2, 255]), { deep: new Uint8Array(70_000) });
    client.socket.emit('acknowledged', 'please', () => assert.fail('nobody acknowledges'));
    client.socket.emit('both', Buffer.alloc(3), () => assert.fail('nobody acknowledges'));
    client.socket.emit('apiRequest', Buffer.from('no object'));
    client.socket.emit('apiRequest');
    client.socket.emit('sync-progress-1', 'from a client');
    await converse(client);
    assert.deepEqual(client.take(':disconnect'), []);
    client.close();
  }
};

// The host answers on the default namespace alone.
export const other_namespace = async (url) => {
  const client = new Client(`${url}/admin`, { reconnection: false });
  const error = await client.next(':connect_error');
  assert.equal(error.message, 'Invalid namespace');
  client.close();
};

export const refused_origin = async (url) => {
  const origin = 'https://elsewhere.example';
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
    const stranger = new Client(url, { origin, transports, reconnection: false });
    assert.ok((await stranger.next(':connect_error')) instanceof Error);
    assert.equal(stranger.socket.connected, false);
    stranger.close();
  }
  for (const transports of [['polling'], ['websocket']]) {
    const friend = await Client.open(url, { origin: 'https://app.example', transports });
    await converse(friend);
    friend.close();
  }
};

// More than the host takes ends the connection of who sends it, and of nobody else.
export const too_large = async (url) => {
  const other = await Client.open(url);
  for (const [transports, reason] of [
    [['websocket'], 'transport close'],
    [['polling'], 'transport error'],
  ]) {
    const client = await Client.open(url, { transports, reconnection: false });
    await client.api('board/echo/v1', { value: 'x'.repeat(50_000) });
    client.socket.emit('apiRequest', { name: 'api/board/echo/v1', data: { value: 'x'.repeat(70_000) } });
    assert.equal(await client.next(':disconnect'), reason);
  }
  assert.deepEqual((await other.api('board/echo/v1', { value: 1 })).result, 1);
  assert.deepEqual(other.take(':disconnect'), []);
  other.close();
};

// Restarted or crashed, the host is found again by the client itself, and the session's rooms are joined.
export const host_restarts = async (url, want) => {
  const browser = await Browser.register(url, 'ann');
  const client = await browser.open();
  await client.join('board-1');
  await client.join('board-2');
  const polling = await browser.open({ transports: ['polling'] }, ['board-1', 'board-2']);
  for (const how of ['restart', 'crash']) {
    const id = client.socket.id;
    await want(how);
    for (const page of [client, polling]) {
      await page.next(':disconnect');
      await page.next(':connect');
      await page.settled(['board-1', 'board-2']);
    }
    assert.notEqual(client.socket.id, id);
    assert.deepEqual(await client.rooms(), { rooms: ['board-1', 'board-2'] });
    const answer = await client.sync('board/moveCard/v1', 'board-2', { card: how, to: 1 });
    assert.equal(answer.status, 'success');
    const fits = (frame) => frame.status === 'success';
    for (const page of [client, polling]) await page.next('sync', fits);
  }
  client.close();
  polling.close();
};

// The token of `auth`, even an empty one, comes before the cookie.
export const token_mode = async (url) => {
  const ann = await Browser.register(url, 'ann', 'token');
  const bob = await Browser.register(url, 'bob', 'token');
  const cookie = `token=${bob.token}`;
  for (const [options, id] of [
    [{ auth: { token: ann.token } }, ann.id],
    [{ auth: { token: ann.token }, cookie }, ann.id],
    [{ cookie }, bob.id],
    [{ auth: {}, cookie }, bob.id],
    [{ auth: { token: 7 }, cookie }, bob.id],
    [{ auth: { token: '' }, cookie }, undefined],
    [{ auth: { token: 'nobody' } }, undefined],
    [{}, undefined],
  ]) {
    for (const transports of [['polling'], ['websocket']]) {
      const client = await Client.open(url, { ...options, transports });
      const answer = await client.api('board/mine/v1');
      assert.equal(id ? answer.result : answer.errorCode, id ?? 'auth.required', JSON.stringify(answer));
      client.close();
    }
  }
};

// Only the cookie counts, percent-encoded or not.
export const cookie_mode = async (url) => {
  const ann = await Browser.register(url, 'ann');
  const encoded = [...ann.token].map((c) => `%${c.charCodeAt(0).toString(16)}`).join('');
  for (const [options, id] of [
    [{ cookie: `other=1; token=${ann.token}; more=2` }, ann.id],
    [{ cookie: `token=${encoded}` }, ann.id],
    [{ auth: { token: ann.token } }, undefined],
    [{ cookie: 'token=nobody', auth: { token: ann.token } }, undefined],
  ]) {
    const client = await Client.open(url, options);
    const answer = await client.api('board/mine/v1');
    assert.equal(id ? answer.result : answer.errorCode, id ?? 'auth.required', JSON.stringify(answer));
    client.close();
  }
};
