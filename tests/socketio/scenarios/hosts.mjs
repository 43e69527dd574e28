// Two hosts of one app (§2.9): what happens at one is seen at the other.
import assert from 'node:assert/strict';
import { Browser } from '../client.mjs';

// Ann's page is at the one host, Bob's at the other.
const people = async (url, _want, other) => {
  const ann = await Browser.register(url, 'ann');
  const bob = await Browser.register(url, 'bob');
  const here = await ann.open();
  const there = await bob.at(other).open();
  for (const page of [here, there]) {
    await page.join('board-1');
    page.take();
  }
  return { ann, bob, here, there };
};

export const sync_between_hosts = async (...hosts) => {
  const { bob, here, there } = await people(...hosts);
  await here.sync('board/moveCard/v1', 'board-1', { card: 'c', to: 1, owner: bob.token });
  assert.equal((await here.next('sync')).clientOutput.mine, false);
  assert.equal((await there.next('sync')).clientOutput.mine, true);
  await here.sync('board/moveCard/v1', 'board-1', { card: 'c', to: 1, refused: bob.token });
  assert.equal((await there.next('sync')).errorCode, 'board.hidden');
  await there.sync('board/pinCard/v1', 'board-1', { card: 'p' }, { ignoreSelf: true });
  assert.equal((await here.next('sync')).clientOutput.mine, false);
  assert.equal((await here.next('sync')).serverOutput.pinned, 'p');

  await here.sync('board/render/v1', 'board-1', { steps: 1, aside: [bob.token] });
  assert.equal((await there.next('sync')).progress, 10);
  assert.equal((await there.next('sync')).aside, 10);
  assert.equal((await there.next('sync')).serverOutput.pages, 1);
  for (const page of [here, there]) page.close();
};

export const sessions_between_hosts = async (...hosts) => {
  const [url, , other] = hosts;
  const { ann, here, there } = await people(...hosts);
  const tab = await ann.at(other).open({}, ['board-1']);
  await here.join('board-2');
  assert.deepEqual(JSON.parse(await tab.next('updateSession')).roomCodes, ['board-1', 'board-2']);
  await here.flushed();
  assert.equal(here.take('updateSession').length, 1, 'each is told once');
  await tab.flushed();
  assert.deepEqual(tab.take('updateSession'), []);

  await new Browser(url).logIn('ann');
  for (const page of [here, tab]) {
    assert.equal(JSON.parse(await page.next('sessionReplaced')).userId, ann.id);
    assert.equal(await page.next('logout'), 'success');
    assert.equal((await page.api('board/mine/v1')).errorCode, 'auth.required');
  }
  await there.flushed();
  assert.deepEqual(there.take(), []);
  for (const page of [here, tab, there]) page.close();
};

// A session is one person, wherever its tabs are.
export const presence_between_hosts = async (...hosts) => {
  const [url, , other] = hosts;
  const { ann, here, there } = await people(...hosts);
  here.socket.emit('intentionalDisconnect');
  await here.next(':disconnect');
  assert.equal((await there.next('userAfk')).userId, ann.id);
  here.socket.connect();
  assert.deepEqual(await there.next('userBack'), { userId: ann.id });
  await here.settled(['board-1']);

  // Idle here and busy there is not idle.
  const tab = await ann.at(other).open({}, ['board-1']);
  const busy = setInterval(() => tab.socket.emit('activity'), 100);
  const carl = await Browser.register(url, 'carl');
  const third = await carl.open();
  await third.join('board-1');
  assert.equal((await there.next('userAfk')).userId, carl.id, 'who came last is the first to be idle');

  // Gone from here is not gone.
  here.close();
  third.close();
  assert.deepEqual(await there.next('userLeft'), { userId: carl.id });
  assert.equal((await tab.api('board/mine/v1')).result, ann.id);
  assert.deepEqual(there.take('userLeft'), []);
  clearInterval(busy);
  tab.close();
  assert.deepEqual(await there.next('userLeft'), { userId: ann.id });
  there.close();
};
