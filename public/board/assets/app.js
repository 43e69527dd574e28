// The page: a board, the people on it, and what they do to it.

import { Cards } from './cards.js';
import { composer } from './composer.js';
import { Door, signOut } from './door.js';
import { makeMovable } from './drag.js';
import { Editor } from './editor.js';
import { People, watchPointer } from './people.js';
import { toast } from './text.js';
import { Wire } from './wire.js';

/** Between two signs of being there, in milliseconds. */
const SIGN = 20_000;
/** Until a board that did not come is asked for again. */
const RETRY = 3000;
/** Between two signs of activity for the host's own presence. */
const ACTIVE = 10_000;

const SENTENCES = {
    'api.disconnected': 'You are offline just now. Try again in a moment.',
    'api.timeout': 'The board took too long to answer.',
    'api.rateLimitExceeded': 'That was a little fast. Wait some seconds.',
    'sync.rateLimitExceeded': 'That was a little fast. Wait some seconds.',
    'board.noSuchCard': 'Somebody has taken that card away.',
    'board.notYours': 'Only who wrote a card can hide it.',
    'board.full': 'The board is full. Delete what is done.',
    'board.emptyCard': 'A card needs some text.',
};

const element = (id) => document.getElementById(id);
const asked = new URLSearchParams(location.search).get('b') ?? '';
const board = /^[a-z0-9-]{1,40}$/.test(asked) ? asked : 'main';
const room = `board-${board}`;

const wire = new Wire();
let me = null;
/** Whether this person is on the way out: nothing is to bring them back into the list. */
let isGoing = false;
let signs;
let pointerPause = 0;
/** What is heard while the board is asked for; null at other times. */
let meanwhile = null;

const show = (view) => (document.body.dataset.view = view);

function linkIs(state) {
    const words = { connecting: 'Connecting', live: 'Live', lost: 'Reconnecting' };
    element('link').dataset.state = state;
    element('link').lastElementChild.textContent = words[state];
    element('lost').hidden = state !== 'lost';
}

/** Tells what went wrong; whether nothing did. */
function worked(envelope) {
    if (envelope.status === 'success') return true;
    if (envelope.errorCode === 'auth.required' || envelope.errorCode === 'session.notFound') askWho();
    else toast(SENTENCES[envelope.errorCode] ?? envelope.message ?? envelope.errorCode, 'error');
    return false;
}

// -- what is shown

const cards = new Cards(element('columns'), (column) =>
    composer(column, {
        add: async (column, text, isPrivate) =>
            worked(await wire.sync('board/addCard/v1', room, { text, column, private: isPrivate })),
        writes: (column, on) => people.hasOthers && wire.sync('board/typing/v1', room, { column, on }),
    }),
);
const people = new People(cards);

const editor = new Editor({
    async save(card, { column, ...changes }) {
        if (Object.keys(changes).length > 0) {
            if (!worked(await wire.sync('board/editCard/v1', room, { id: card.id, ...changes }))) return;
        }
        if (column !== undefined) move(card.id, column, null);
    },
    async remove(card) {
        if (worked(await wire.sync('board/removeCard/v1', room, { id: card.id }))) toast('The card is gone.');
    },
});

makeMovable(element('columns'), cards, {
    mayMove() {
        if (!wire.isOpen) toast(SENTENCES['api.disconnected'], 'error');
        return wire.isOpen;
    },
    opened(id) {
        const card = cards.get(id);
        if (card !== undefined) editor.open(card, card.owner === me.id);
    },
    dropped: move,
});

async function move(id, column, before, from = new Map()) {
    if (!cards.expect(id, column, before, from)) return;
    const data = before === null ? { id, column } : { id, column, before };
    if (!worked(await wire.sync('board/moveCard/v1', room, data))) await refresh();
}

// -- the wire

/** Asks for all of the board; whether it came. What is heard meanwhile may be newer, so it is heard after. */
async function refresh() {
    meanwhile ??= [];
    const answer = await wire.api('board/get/v1', { board });
    const frames = meanwhile ?? [];
    meanwhile = null;
    if (!worked(answer)) return false;
    me = answer.result.me;
    cards.load(answer.result);
    people.load(answer.result);
    frames.forEach(hear);
    return true;
}

async function enter() {
    // Members hear what happens from now on; what happened before is asked for after that.
    const joined = await wire.join(room);
    if (!worked({ status: joined.rooms === undefined ? 'error' : 'success', ...joined }) || !(await refresh())) {
        const isAsked = document.body.dataset.view === 'door';
        if (!isAsked) setTimeout(() => wire.isOpen && enter(), RETRY);
        return;
    }
    isGoing = false;
    door.hide();
    cards.showLoading(false);
    show('board');
    linkIs('live');
    clearInterval(signs);
    signs = setInterval(sign, SIGN);
    sign();
}

function sign(state = document.hidden ? 'away' : 'here') {
    if (wire.isOpen && me !== null && (!isGoing || state === 'gone')) wire.sync('board/here/v1', room, { state });
}

function askWho() {
    clearInterval(signs);
    me = null;
    editor.close();
    cards.clear();
    people.clear();
    show('door');
    linkIs(wire.isOpen ? 'live' : 'connecting');
    door.show();
}

const door = new Door(() => wire.open());

wire.on('connect', () => enter());
wire.on('disconnect', (reason) => {
    if (reason === 'io client disconnect') return;
    if (me !== null) linkIs('lost');
    else linkIs('connecting');
});
wire.on('connect_error', () => linkIs(me === null ? 'connecting' : 'lost'));
wire.on('logout', () => me !== null && askWho());
wire.on('sessionReplaced', () => toast('You have signed in elsewhere.'));
wire.on('userLeft', ({ userId }) => people.change(userId, 'left'));
wire.on('userAfk', ({ userId }) => people.change(userId, 'away'));
wire.on('userBack', ({ userId }) => people.change(userId, 'back'));
function hear(frame) {
    if (frame.status === 'stream') {
        if (frame.cursor !== undefined) people.point(frame.cursor);
        if (frame.typing !== undefined) people.writes(frame.typing);
    } else if (frame.status === 'success') {
        const { result } = frame.serverOutput;
        if (/\/(add|move|edit|remove)Card\//.test(frame.fullName)) cards.hear(frame.serverOutput, frame.clientOutput);
        else if (result?.people !== undefined) {
            people.show(result.people);
            // Another page of the same person was closed.
            if (!result.people.some((person) => person.id === me.id)) sign();
        }
    }
}

wire.on('sync', (frame) => {
    if (meanwhile !== null) meanwhile.push(frame);
    else if (me !== null) hear(frame);
});

watchPointer(element('columns'), async (place) => {
    if (me === null || !people.hasOthers || document.hidden || performance.now() < pointerPause) return;
    const answer = await wire.sync('board/cursor/v1', room, place);
    // Cards matter more than pointers: these keep still where an address may not call so often.
    if (answer.status === 'error') pointerPause = performance.now() + 20_000;
});

document.addEventListener('visibilitychange', () => sign());
addEventListener('pagehide', () => {
    isGoing = true;
    sign('gone');
});
addEventListener('pageshow', () => {
    isGoing = false;
    sign();
});

let active = 0;
for (const event of ['pointerdown', 'keydown']) {
    addEventListener(event, () => {
        if (performance.now() - active < ACTIVE) return;
        active = performance.now();
        wire.tell('activity');
    });
}

// -- the bar

element('title').textContent = board === 'main' ? 'Board' : board;
document.title = board === 'main' ? 'Board' : `${board} · Board`;

element('share').addEventListener('click', async () => {
    try {
        await navigator.clipboard.writeText(location.href);
        toast('A link to this board is on your clipboard.');
    } catch {
        toast(location.href);
    }
});
element('leave').addEventListener('click', async () => {
    isGoing = true;
    sign('gone');
    await signOut();
    askWho();
});

function labelTheme() {
    const other = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    element('theme').ariaLabel = `Change to ${other} colours`;
    element('theme').title = `Change to ${other} colours`;
}
element('theme').addEventListener('click', () => {
    const theme = document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark';
    document.documentElement.dataset.theme = theme;
    try {
        localStorage.setItem('board.theme', theme);
    } catch {
        // Without a storage the choice lasts as long as the page.
    }
    labelTheme();
});
labelTheme();

wire.open();
