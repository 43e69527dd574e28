// What sockets hear of their session (§2.6, §3.4, §5.2, §5.3).
import assert from 'node:assert/strict';
import { Browser } from '../client.mjs';

// The second login ends the first: its pages are told why, and are nobody's from then on.
export const second_login = async (url) => {
  const first = await Browser.register(url, 'ann');
  const pages = [await first.open(), await first.open({ transports: ['polling'] })];
  await pages[0].join('board-1');
  const other = await (await Browser.register(url, 'bob')).open();

  const second = await new Browser(url).logIn('ann');
  for (const page of pages) {
    const replaced = await page.next('sessionReplaced');
    assert.equal(replaced, JSON.stringify({ reason: 'session-replaced', userId: first.id }));
    assert.equal(await page.next('logout'), 'success');
    assert.equal((await page.api('board/mine/v1')).errorCode, 'auth.required');
    assert.equal(page.socket.connected, true, 'a page is not disconnected');
    assert.deepEqual(page.take('sessionReplaced'), []);
  }
  const page = await second.open();
  assert.equal((await page.api('board/mine/v1')).result, first.id);
  await other.flushed();
  assert.deepEqual(other.take(), [], 'others hear nothing of it');
  for (const client of [page, other, ...pages]) client.close();
};

// A page that logs out logs out all pages of the session.
export const logout = async (url) => {
  const browser = await Browser.register(url, 'ann');
  const pages = [await browser.open(), await browser.open()];
  const answer = await pages[0].api('system/logout/v1');
  assert.deepEqual(answer, { status: 'success', httpStatus: 200, result: true });
  for (const page of pages) {
    assert.equal(await page.next('logout'), 'success');
    assert.equal((await page.api('board/mine/v1')).errorCode, 'auth.required');
    page.close();
  }
};

// What one page changes of the session is told to all pages of it, on either transport.
export const updates = async (url) => {
  const browser = await Browser.register(url, 'ann', 'token');
  const [page, tab] = [await browser.open(), await browser.open({ transports: ['polling'] })];
  await page.join('board-1');
  for (const client of [page, tab]) {
    const session = JSON.parse(await client.next('updateSession'));
    assert.equal(session.id, browser.id);
    assert.deepEqual(session.roomCodes, ['board-1']);
    assert.equal(typeof session.avatar, 'string');
    assert.equal(session.token, undefined);
  }

  // Locations are kept where they are to be provided.
  page.socket.emit('updateLocation', { pathName: 'no path' });
  page.socket.emit('updateLocation', { pathName: '/board', searchParams: { card: 'c1' } });
  for (const client of [page, tab]) {
    const session = JSON.parse(await client.next('updateSession'));
    assert.deepEqual(session.location, { pathName: '/board', searchParams: { card: 'c1' } });
    client.close();
  }
};
