// Moving cards: with a mouse, with a finger that rests on one, or with the keyboard.

import { COLUMNS } from './cards.js';
import { say } from './text.js';

/** How far a mouse goes before it drags, and how long a finger rests, in pixels and milliseconds. */
const FAR = 5;
const REST = 240;
/** How near to an edge everything begins to scroll, in pixels. */
const EDGE = 64;

const nameOf = (id) => COLUMNS.find((column) => column.id === id).name;

/** `dropped(id, column, before, place)` is called when a card was put down; `opened(id)` when it was pressed. */
export function makeMovable(root, cards, { mayMove, dropped, opened }) {
    let held = null;
    let waiting = null;

    // -- pointers

    root.addEventListener('pointerdown', (event) => {
        const element = event.target.closest('.card');
        if (element === null || event.button !== 0 || held !== null) return;
        const start = { element, id: event.pointerId, x: event.clientX, y: event.clientY };
        waiting = start;
        if (event.pointerType !== 'mouse') {
            start.timer = setTimeout(() => waiting === start && lift(start), REST);
        }
    });

    addEventListener('pointermove', (event) => {
        if (waiting?.id === event.pointerId) {
            const far = Math.hypot(event.clientX - waiting.x, event.clientY - waiting.y);
            if (far > FAR && waiting.timer === undefined) lift(waiting);
            else if (far > 2 * FAR) settle();
        }
        if (held?.pointer === event.pointerId) {
            held.x = event.clientX;
            held.y = event.clientY;
            follow();
        }
    });

    addEventListener('pointerup', (event) => {
        if (held?.pointer === event.pointerId) drop();
        settle();
    });
    addEventListener('pointercancel', (event) => {
        if (held?.pointer === event.pointerId) putBack();
        settle();
    });
    // A finger that drags does not scroll.
    addEventListener('touchmove', (event) => held !== null && event.preventDefault(), { passive: false });
    addEventListener('contextmenu', (event) => held !== null && event.preventDefault());

    root.addEventListener('click', (event) => {
        const element = event.target.closest('.card');
        if (element !== null && !element.dataset.dragged) opened(element.dataset.id);
        delete element?.dataset.dragged;
    });

    function settle() {
        clearTimeout(waiting?.timer);
        waiting = null;
    }

    function lift({ element, id, x, y }) {
        settle();
        if (!mayMove()) return;
        const box = element.getBoundingClientRect();
        const ghost = element.cloneNode(true);
        ghost.classList.add('ghost');
        ghost.removeAttribute('tabindex');
        ghost.style.width = `${box.width}px`;
        document.body.append(ghost);
        held = { element, ghost, pointer: id, x, y, dx: x - box.x, dy: y - box.y };
        cards.isHeld = true;
        element.classList.add('is-lifted');
        document.body.classList.add('is-dragging');
        navigator.vibrate?.(8);
        getSelection()?.removeAllRanges();
        follow();
        requestAnimationFrame(scroll);
    }

    function follow() {
        const { ghost, element, x, y, dx, dy } = held;
        ghost.style.transform = `translate(${x - dx}px, ${y - dy}px) rotate(1.5deg)`;
        const column = [...root.children]
            .map((column) => ({ column, box: column.getBoundingClientRect() }))
            .reduce((best, one) => (distance(one.box, x) < distance(best.box, x) ? one : best)).column;
        const list = column.querySelector('.cards');
        const middle = y - dy + ghost.offsetHeight / 2;
        const others = [...list.children].filter((other) => other !== element);
        const before = others.find((other) => {
            const box = other.getBoundingClientRect();
            return middle < box.y + box.height / 2;
        });
        put(element, list, before ?? null);
    }

    function put(element, list, before) {
        if (element.parentElement === list && element.nextElementSibling === before) return;
        cards.shift(() => list.insertBefore(element, before));
        for (const column of root.children) {
            const count = column.querySelector('.cards').children.length;
            column.classList.toggle('is-empty', count === 0);
            column.querySelector('.count').textContent = count === 0 ? '' : String(count);
        }
    }

    /** Near an edge, the page or the row of columns scrolls by itself. */
    function scroll() {
        if (held === null || held.ghost === undefined) return;
        const { x, y } = held;
        const speed = (at, size) => (at < EDGE ? (at - EDGE) / 4 : at > size - EDGE ? (at - size + EDGE) / 4 : 0);
        const down = speed(y, innerHeight);
        const aside = speed(x, innerWidth);
        if (down !== 0) scrollBy(0, down);
        if (aside !== 0) root.scrollLeft += aside;
        if (down !== 0 || aside !== 0) follow();
        requestAnimationFrame(scroll);
    }

    function drop() {
        const { element, ghost } = held;
        const place = ghost.getBoundingClientRect();
        element.dataset.dragged = 'yes';
        setTimeout(() => delete element.dataset.dragged);
        release();
        finish(element, new Map([[element.dataset.id, place]]));
    }

    function putBack() {
        release();
        cards.draw();
    }

    function release() {
        held.ghost?.remove();
        held.element.classList.remove('is-lifted');
        document.body.classList.remove('is-dragging');
        held = null;
        cards.isHeld = false;
    }

    function finish(element, from) {
        const before = element.nextElementSibling?.dataset.id ?? null;
        dropped(element.dataset.id, element.parentElement.dataset.column, before, from);
    }

    // -- the keyboard

    root.addEventListener('keydown', (event) => {
        const element = event.target;
        if (!element.classList.contains('card')) return;
        const isHeld = held?.element === element && held.ghost === undefined;
        if (event.key === ' ') {
            event.preventDefault();
            if (isHeld) {
                release();
                finish(element, new Map());
                element.focus();
                say(`Dropped: ${where(element)}.`);
            } else if (held === null && mayMove()) {
                held = { element };
                cards.isHeld = true;
                element.classList.add('is-lifted', 'by-keys');
                say('Lifted. Move it with the arrow keys.');
            }
        } else if (event.key === 'Enter' && held === null) {
            event.preventDefault();
            opened(element.dataset.id);
        } else if (event.key === 'Escape' && isHeld) {
            element.classList.remove('by-keys');
            putBack();
            element.focus();
            say(`Put back: ${where(element)}.`);
        } else if (event.key.startsWith('Arrow')) {
            event.preventDefault();
            if (isHeld) step(element, event.key);
            else look(element, event.key);
        }
    });
    root.addEventListener('focusout', (event) => {
        // Focus moves with the element while it is put elsewhere; anything else puts it back.
        const element = event.target;
        requestAnimationFrame(() => {
            if (held?.element === element && held.ghost === undefined && document.activeElement !== element) {
                putBack();
            }
        });
    });

    function step(element, key) {
        const list = element.parentElement;
        const lists = [...root.querySelectorAll('.cards')];
        const at = lists.indexOf(list);
        if (key === 'ArrowUp' && element.previousElementSibling !== null) {
            put(element, list, element.previousElementSibling);
        } else if (key === 'ArrowDown' && element.nextElementSibling !== null) {
            put(element, list, element.nextElementSibling.nextElementSibling);
        } else {
            const to = lists[at + (key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0)];
            if (to === undefined || to === list) return;
            put(element, to, to.children[[...list.children].indexOf(element)] ?? null);
        }
        element.focus();
        element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
        say(where(element));
    }

    function look(element, key) {
        const list = element.parentElement;
        const lists = [...root.querySelectorAll('.cards')].filter((list) => list.children.length > 0);
        const index = [...list.children].indexOf(element);
        const beside = lists[lists.indexOf(list) + (key === 'ArrowRight' ? 1 : -1)];
        const to = {
            ArrowUp: element.previousElementSibling,
            ArrowDown: element.nextElementSibling,
            ArrowLeft: beside?.children[Math.min(index, beside.children.length - 1)],
            ArrowRight: beside?.children[Math.min(index, beside.children.length - 1)],
        }[key];
        to?.focus();
    }

    const where = (element) => {
        const list = element.parentElement;
        const place = [...list.children].indexOf(element) + 1;
        return `${nameOf(list.dataset.column)}, ${place} of ${list.children.length}`;
    };
}

const distance = (box, x) => Math.max(box.left - x, x - box.right, 0);
