// Presence (§8), with the short times of the test.
import assert from 'node:assert/strict';
import { Browser } from '../client.mjs';

const GRACE_TAB_SWITCH = 5_000;

const people = async (url, room = 'board-1') => {
  const ann = await Browser.register(url, 'ann');
  const bob = await Browser.register(url, 'bob');
  const pages = { ann: await ann.open(), bob: await bob.open() };
  for (const page of Object.values(pages)) {
    await page.join(room);
    // In two rooms together, and told once.
    await page.join('lobby');
    page.take();
  }
  return { ann, bob, pages };
};

const userId = (id) => ({ userId: id });

// The client's own flow: the tab is hidden, and shown again in time.
export const tab_switch = async (url) => {
  const { ann, pages } = await people(url);
  const before = Date.now();
  pages.ann.socket.emit('intentionalDisconnect');
  assert.equal(await pages.ann.next(':disconnect'), 'io server disconnect');
  const afk = await pages.bob.next('userAfk');
  assert.deepEqual(Object.keys(afk).sort(), ['endTime', 'userId']);
  assert.equal(afk.userId, ann.id);
  assert.ok(afk.endTime >= before + GRACE_TAB_SWITCH && afk.endTime <= Date.now() + GRACE_TAB_SWITCH);

  pages.ann.socket.connect();
  await pages.ann.next(':connect');
  pages.ann.socket.emit('intentionalReconnect');
  assert.deepEqual(await pages.bob.next('userBack'), userId(ann.id));
  await pages.ann.settled(['board-1', 'lobby']);
  assert.equal((await pages.ann.api('board/mine/v1')).result, ann.id);
  await pages.bob.flushed();
  assert.deepEqual(pages.bob.take(), [], 'each is told once');
  assert.deepEqual(pages.ann.take('userAfk', 'userBack'), [], 'nobody is told of themselves');

  // Hidden for good, they have left, and their session lives on.
  pages.ann.socket.emit('intentionalDisconnect');
  await pages.bob.next('userAfk');
  assert.deepEqual(await pages.bob.next('userLeft'), userId(ann.id));
  const again = await ann.open({}, ['board-1']);
  assert.equal((await again.api('board/mine/v1')).result, ann.id);
  for (const page of [again, ...Object.values(pages)]) page.close();
};

// Who closes the last page has left, and is logged out; who has another one stays.
export const closing = async (url, want) => {
  const { ann, pages } = await people(url);
  const tab = await ann.open({}, ['board-1']);
  pages.ann.close();
  // Longer than the grace: it is over when somebody else, who goes later, is said to have left.
  const carl = await Browser.register(url, 'carl');
  const third = await carl.open();
  await third.join('lobby');
  third.close();
  assert.deepEqual(await pages.bob.next('userLeft'), userId(carl.id));
  assert.equal((await tab.api('board/mine/v1')).result, ann.id);
  assert.deepEqual(pages.bob.take(), []);

  tab.close();
  assert.deepEqual(await pages.bob.next('userLeft'), userId(ann.id));
  // Peers are told before the session ends.
  await want('expired');
  const again = await ann.open();
  assert.equal((await again.api('board/mine/v1')).errorCode, 'auth.required');
  again.close();
  pages.bob.close();
};

// A lost connection has a longer grace, and coming back says so.
export const lost_connection = async (url) => {
  const { ann, pages } = await people(url);
  const engine = pages.ann.socket.io.engine;
  engine.close();
  await pages.ann.next(':disconnect');
  pages.ann.socket.connect();
  await pages.ann.next(':connect');
  assert.deepEqual(await pages.bob.next('userBack'), userId(ann.id));
  assert.equal((await pages.ann.api('board/mine/v1')).result, ann.id);
  for (const page of Object.values(pages)) page.close();
};

// Who does nothing is idle; activity keeps them from it, and says nothing by itself.
export const idle = async (url) => {
  const { ann, bob, pages } = await people(url);
  const busy = setInterval(() => pages.bob.socket.emit('activity'), 100);
  const afk = await pages.bob.next('userAfk');
  assert.equal(afk.userId, ann.id);
  assert.ok(Math.abs(afk.endTime - Date.now()) < 30_000);
  clearInterval(busy);
  assert.deepEqual(pages.ann.take('userAfk'), [], 'who is busy is not idle');
  pages.ann.socket.emit('activity');
  assert.equal((await pages.ann.next('userAfk')).userId, bob.id);
  assert.deepEqual(pages.bob.take('userBack'), []);
  for (const page of Object.values(pages)) page.close();
};

// A plugin can keep it to itself.
export const unseen = async (url, want) => {
  const { ann, pages } = await people(url, 'silent');
  pages.ann.socket.emit('intentionalDisconnect');
  await pages.ann.next(':disconnect');
  await want('suppressed');
  pages.ann.socket.connect();
  await pages.ann.next(':connect');
  await want('reconnected');
  await pages.bob.flushed();
  assert.deepEqual(pages.bob.take(), []);
  assert.equal((await pages.ann.api('board/mine/v1')).result, ann.id);
  for (const page of Object.values(pages)) page.close();
};

// Unless it is turned on, nothing of it happens.
export const presence_off = async (url) => {
  const { ann, pages } = await people(url);
  pages.ann.socket.emit('intentionalDisconnect');
  pages.ann.socket.emit('activity');
  assert.equal((await pages.ann.api('board/mine/v1')).result, ann.id);
  pages.ann.close();
  const again = await ann.open({}, ['board-1']);
  assert.equal((await again.api('board/mine/v1')).result, ann.id);
  await pages.bob.flushed();
  assert.deepEqual(pages.bob.take(), []);
  for (const page of [again, pages.bob]) page.close();
};

// Turned on while pages are open, it knows them; turned off, it forgets.
export const turned_on = async (url, want) => {
  const { ann, pages } = await people(url);
  pages.ann.socket.emit('intentionalDisconnect');
  await pages.ann.flushed();
  await want('on');
  pages.ann.socket.emit('intentionalDisconnect');
  await pages.ann.next(':disconnect');
  assert.equal((await pages.bob.next('userAfk')).userId, ann.id);
  pages.ann.socket.connect();
  assert.deepEqual(await pages.bob.next('userBack'), userId(ann.id));
  await want('off');
  pages.ann.socket.emit('intentionalDisconnect');
  assert.equal((await pages.ann.api('board/mine/v1')).result, ann.id);
  await pages.bob.flushed();
  assert.deepEqual(pages.bob.take(), []);
  for (const page of Object.values(pages)) page.close();
};
