// Sync calls over sockets (§4).
import assert from 'node:assert/strict';
import { Browser, Client } from '../client.mjs';

const people = async (url) => {
  const ann = await Browser.register(url, 'ann');
  const bob = await Browser.register(url, 'bob');
  const pages = { ann: await ann.open(), bob: await bob.open() };
  for (const page of Object.values(pages)) {
    await page.join('board-1');
    page.take();
  }
  return { ann, bob, pages };
};

const full = 'sync/board/moveCard/v1';
const frame = (clientOutput) => ({
  cb: full,
  fullName: full,
  serverOutput: { status: 'success', moved: true },
  clientOutput,
  message: `${full} sync success`,
  status: 'success',
});

// What one does is checked once, and seen by each in their own way; also by who did it.
export const both_halves = async (url) => {
  const { ann, bob, pages } = await people(url);
  const answer = await pages.ann.sync('board/moveCard/v1', 'board-1', { card: 'c1', to: 2, owner: bob.token });
  assert.deepEqual(answer, {
    status: 'success',
    message: `sync ${full} success`,
    result: { status: 'success', moved: true },
  });
  assert.deepEqual(await pages.ann.next('sync'), frame({ status: 'success', mine: false }));
  assert.deepEqual(await pages.bob.next('sync'), frame({ status: 'success', mine: true }));

  // An error of the client half is told to its recipient alone.
  await pages.ann.sync('board/moveCard/v1', 'board-1', { card: 'c1', to: 3, refused: bob.token });
  assert.deepEqual(await pages.ann.next('sync'), frame({ status: 'success', mine: false }));
  const refused = await pages.bob.next('sync');
  assert.deepEqual([refused.status, refused.errorCode, refused.httpStatus], ['error', 'board.hidden', 403]);
  assert.deepEqual([refused.cb, refused.fullName], [full, full]);

  // Without a client half everybody gets the same.
  await pages.bob.sync('board/pinCard/v1', 'board-1', { card: 'c2' });
  for (const page of Object.values(pages)) {
    const { serverOutput, clientOutput, cb, status } = await page.next('sync');
    assert.deepEqual(serverOutput, { status: 'success', pinned: 'c2' });
    assert.deepEqual([clientOutput, cb, status], [{}, 'sync/board/pinCard/v1', 'success']);
  }
  // One's own token and socket id are rooms, too.
  for (const receiver of [ann.token, pages.ann.socket.id]) {
    await pages.ann.sync('board/pinCard/v1', receiver, { card: 'c3' });
    assert.equal((await pages.ann.next('sync')).serverOutput.pinned, 'c3');
  }
  await pages.bob.flushed();
  assert.deepEqual(pages.bob.take(), []);
  for (const page of Object.values(pages)) page.close();
};

// Each call is answered before anybody hears of it, however many there are at once.
export const order = async (url) => {
  const { pages } = await people(url);
  const heard = [];
  pages.ann.socket.onAny((event, argument) => heard.push({ event, argument }));
  const cards = Array.from({ length: 50 }, (_, number) => `card ${number}`);
  await Promise.all(cards.map((card) => pages.ann.sync('board/pinCard/v1', 'board-1', { card })));
  for (const page of Object.values(pages)) {
    const seen = [];
    while (seen.length < cards.length) seen.push((await page.next('sync')).serverOutput.pinned);
    assert.deepEqual(new Set(seen), new Set(cards));
  }
  for (const card of cards) {
    const answered = heard.findIndex((it) => /^sync-\d+$/.test(it.event) && it.argument.result.pinned === card);
    const told = heard.findIndex((it) => it.event === 'sync' && it.argument.serverOutput.pinned === card);
    assert.ok(0 <= answered && answered < told, `${card}: ${answered}, ${told}`);
  }
  for (const page of Object.values(pages)) page.close();
};

// All tabs of the caller's session are left out, and nobody else.
export const ignore_self = async (url) => {
  const { ann, pages } = await people(url);
  const tab = await ann.open({}, ['board-1']);
  await pages.ann.sync('board/pinCard/v1', 'board-1', { card: 'hushed' }, { ignoreSelf: true });
  await pages.ann.sync('board/moveCard/v1', 'board-1', { card: 'hushed', to: 1 }, { ignoreSelf: true });
  await pages.ann.sync('board/pinCard/v1', 'board-1', { card: 'loud' });
  for (const page of [pages.ann, tab]) {
    assert.equal((await page.next('sync')).serverOutput.pinned, 'loud');
    assert.deepEqual(page.take('sync'), []);
  }
  assert.equal((await pages.bob.next('sync')).serverOutput.pinned, 'hushed');
  assert.equal((await pages.bob.next('sync')).serverOutput.moved, true);
  assert.equal((await pages.bob.next('sync')).serverOutput.pinned, 'loud');
  for (const page of [tab, ...Object.values(pages)]) page.close();
};

// The caller, the room and single sessions hear of the progress, each in its own way.
export const streams = async (url) => {
  const { bob, pages } = await people(url);
  const carl = await Browser.register(url, 'carl');
  const outside = await carl.open();
  const progress = [];
  const answer = await pages.ann.sync(
    'board/render/v1',
    'board-1',
    { steps: 2, aside: [carl.token, bob.token, ''] },
    { onStream: (chunk) => progress.push(chunk) },
  );
  assert.deepEqual(answer.result, { status: 'success', pages: 2 });
  assert.deepEqual(progress, [{ progress: 10 }, { progress: 20 }]);
  const stream = (chunk) => ({
    ...chunk,
    cb: 'board/render/v1',
    fullName: 'sync/board/render/v1',
    status: 'stream',
  });
  const heard = async (page, ...chunks) => {
    for (const chunk of chunks) assert.deepEqual(await page.next('sync'), stream(chunk));
  };
  await heard(pages.ann, { progress: 10 }, { progress: 20 });
  await heard(pages.bob, { progress: 10 }, { aside: 10 }, { progress: 20 }, { aside: 20 });
  await heard(outside, { aside: 10 }, { aside: 20 });
  for (const page of Object.values(pages)) {
    assert.deepEqual((await page.next('sync')).serverOutput, { status: 'success', pages: 2 });
  }
  await outside.flushed();
  assert.deepEqual(outside.take(), []);
  for (const page of [outside, ...Object.values(pages)]) page.close();
};

// A cancelled call sends no chunks any more; it ends, is answered and fanned out all the same.
export const cancelled_sync = async (url) => {
  const { pages } = await people(url);
  const stop = new AbortController();
  const progress = [];
  let ready;
  const begun = new Promise((resolve) => (ready = resolve));
  const onStream = (chunk) => {
    progress.push(chunk);
    ready();
  };
  const options = { onStream, signal: stop.signal };
  const rendering = pages.ann.sync('board/render/v1', 'board-1', { steps: 1, hold: true }, options);
  await begun;
  // Neither its name nor somebody else can cancel it.
  pages.ann.socket.emit('syncCancel', { cb: 'board/render/v1' });
  pages.bob.socket.emit('syncCancel', { cb: 'board/render/v1' });
  await pages.bob.flushed();
  assert.equal((await pages.ann.api('board/echo/v1', { value: 1 })).status, 'success');
  stop.abort();
  assert.deepEqual((await rendering).result, { status: 'success', pages: 1 });
  assert.deepEqual(progress, [{ progress: 10 }]);
  for (const page of Object.values(pages)) {
    assert.equal((await page.next('sync')).progress, 10);
    assert.deepEqual((await page.next('sync')).serverOutput, { status: 'success', pages: 1 });
    page.close();
  }
};

export const refusals = async (url) => {
  const { pages } = await people(url);
  const nobody = await Client.open(url);
  const { ann } = pages;
  const fails = async (client, payload, errorCode, httpStatus) => {
    const whole = {
      name: 'sync/board/pinCard/v1',
      data: { card: 'c' },
      cb: 'board/pinCard/v1',
      receiver: 'board-1',
      ...payload,
    };
    const answer = await client.request('sync', whole, 'sync');
    const { status, errorCode: code, httpStatus: number } = answer;
    assert.deepEqual([status, code, number], ['error', errorCode, httpStatus], JSON.stringify(answer));
  };
  await fails(ann, { name: 7 }, 'sync.invalidRequest', 400);
  await fails(ann, { data: ['c'] }, 'sync.invalidRequest', 400);
  await fails(ann, { name: 'sync/board' }, 'routing.invalidServiceRouteName', 400);
  await fails(ann, { cb: '' }, 'sync.invalidCallback', 400);
  await fails(ann, { cb: undefined }, 'sync.invalidCallback', 400);
  await fails(ann, { receiver: '  ' }, 'sync.missingReceiver', 400);
  await fails(ann, { receiver: undefined }, 'sync.missingReceiver', 400);
  await fails(ann, { name: 'sync/board/nothing/v1' }, 'sync.notFound', 400);
  await fails(ann, { receiver: 'board-2' }, 'sync.notRoomMember', 403);
  await fails(ann, { receiver: 'all' }, 'sync.receiverNotAllowed', 403);
  await fails(nobody, {}, 'sync.notRoomMember', 403);
  const move = { name: 'sync/board/moveCard/v1', data: { card: 'c', to: 1 }, cb: 'board/moveCard/v1' };
  await fails(nobody, move, 'auth.required', 400);
  await fails(ann, { ...move, data: { card: 7 } }, 'sync.invalidInputType', 400);
  await fails(ann, { ...move, data: { card: 'c', to: 0 } }, 'board.noSuchPlace', 422);

  // Without an index it is done, and not answered.
  await ann.flushed();
  pages.bob.take();
  ann.take();
  const silent = { name: 'sync/board/pinCard/v1', data: { card: 'silent' }, cb: 'x', receiver: 'board-1' };
  ann.socket.emit('sync', silent);
  assert.equal((await pages.bob.next('sync')).serverOutput.pinned, 'silent');
  ann.socket.emit('sync', 'no object');
  const wrong = await ann.next('sync', (frame) => frame.status === 'error');
  assert.deepEqual([wrong.errorCode, wrong.httpStatus], ['sync.invalidRequest', 400]);
  assert.equal((await ann.next('sync')).serverOutput.pinned, 'silent');
  assert.deepEqual(ann.take(), []);
  for (const page of [nobody, ...Object.values(pages)]) page.close();
};

// Everybody, where the project allows it: those without a session as well.
export const everybody = async (url) => {
  const { pages } = await people(url);
  const nobody = await Client.open(url);
  await pages.ann.sync('board/pinCard/v1', 'all', { card: 'c' });
  for (const page of [nobody, ...Object.values(pages)]) {
    assert.equal((await page.next('sync')).serverOutput.pinned, 'c');
  }
  // Rooms that one is not in are open, too; one without anybody is told from one with somebody.
  assert.equal((await nobody.sync('board/pinCard/v1', 'board-1', { card: 'd' })).status, 'success');
  for (const page of Object.values(pages)) assert.equal((await page.next('sync')).serverOutput.pinned, 'd');
  const empty = await nobody.sync('board/pinCard/v1', 'board-2', { card: 'e' });
  assert.deepEqual([empty.status, empty.errorCode], ['error', 'sync.noReceiversFound']);
  for (const page of [nobody, ...Object.values(pages)]) page.close();
};
