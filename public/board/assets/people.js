// The others: who is there, where they point, where they write.

import { hue, initials, make, plain } from './text.js';

/** Faces that fit into the bar. */
const FACES = 5;
/** How long a pointer stays without moving, and a sign of writing without another. */
const STILL = 6000;
const WRITES = 4000;
/** Between two signs of the own pointer, in milliseconds. */
const EVERY = 80;

const ARROW = '<path d="M2 2l6.2 15.5 2.3-6.6 6.6-2.3z"/>';

export class People {
    #bar = document.getElementById('people');
    #people = [];
    #me = null;
    #cards;
    #pointers = new Map();
    #writers = new Map();

    constructor(cards) {
        this.#cards = cards;
    }

    /** Whether anybody else is there to be shown something. */
    get hasOthers() {
        return this.#people.some((person) => person.id !== this.#me);
    }

    load({ me, people }) {
        this.#me = me.id;
        this.show(people);
    }

    show(people) {
        const known = new Set(people.map((person) => person.id));
        for (const id of [...this.#pointers.keys()]) if (!known.has(id)) this.#forget(id);
        this.#people = people;
        const own = people.filter((person) => person.id === this.#me);
        const all = [...own, ...people.filter((person) => person.id !== this.#me)];
        const faces = all.slice(0, all.length > FACES ? FACES - 1 : FACES).map((person) => this.#face(person));
        if (all.length > FACES) faces.push(make('li', { class: 'face more' }, `+${all.length - FACES + 1}`));
        this.#bar.replaceChildren(...faces);
    }

    #face(person) {
        const name = person.id === this.#me ? `${plain(person.name)} (you)` : plain(person.name);
        const label = person.away ? `${name}, away` : name;
        const attributes = { class: 'face', style: `--hue:${hue(person.id)}`, title: label, 'data-id': person.id };
        return make(
            'li',
            { ...attributes, 'data-away': person.away === true },
            make('span', { 'aria-hidden': 'true' }, initials(person.name)),
            make('span', { class: 'unseen' }, label),
        );
    }

    /** Somebody went away for a while, came back, or left, as the host's own presence says. */
    change(id, kind) {
        const others = this.#people.filter((person) => person.id !== id);
        const person = this.#people.find((person) => person.id === id);
        if (person === undefined) return;
        this.show(kind === 'left' ? others : this.#people.map((one) => (one === person ? { ...one, away: kind === 'away' } : one)));
    }

    clear() {
        this.#people = [];
        this.#bar.replaceChildren();
        for (const id of [...this.#pointers.keys()]) this.#forget(id);
    }

    // -- pointers

    point({ id, name, at }) {
        if (id === this.#me) return;
        const column = this.#cards.column(at.column)?.element;
        if (column === undefined) return;
        let pointer = this.#pointers.get(id);
        if (pointer === undefined) {
            const element = make('div', { class: 'pointer', style: `--hue:${hue(id)}`, 'aria-hidden': 'true' });
            const arrow = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
            arrow.setAttribute('viewBox', '0 0 19 19');
            arrow.innerHTML = ARROW;
            element.append(arrow, make('span', {}, plain(name)));
            pointer = { element };
            this.#pointers.set(id, pointer);
        }
        const { element } = pointer;
        if (element.parentElement !== column) {
            element.style.transition = 'none';
            column.append(element);
            requestAnimationFrame(() => (element.style.transition = ''));
        }
        element.style.left = `${at.x * 100}%`;
        element.style.top = `${Math.min(at.y, column.scrollHeight)}px`;
        element.classList.remove('is-still');
        clearTimeout(pointer.timer);
        pointer.timer = setTimeout(() => element.classList.add('is-still'), STILL);
    }

    #forget(id) {
        clearTimeout(this.#pointers.get(id).timer);
        this.#pointers.get(id).element.remove();
        this.#pointers.delete(id);
    }

    // -- writing

    writes({ id, name, at }) {
        if (id === this.#me) return;
        clearTimeout(this.#writers.get(id)?.timer);
        if (at.on) {
            const timer = setTimeout(() => this.writes({ id, name, at: { ...at, on: false } }), WRITES);
            this.#writers.set(id, { name: plain(name), column: at.column, timer });
        } else {
            this.#writers.delete(id);
        }
        for (const column of ['todo', 'doing', 'done']) {
            const names = [...this.#writers.values()].filter((one) => one.column === column).map((one) => one.name);
            const line = this.#cards.column(column).element.querySelector('.writes');
            const text = names.length === 0 ? '' : names.length === 1 ? `${names[0]} is writing` : `${names.join(', ')} are writing`;
            if (line.textContent !== text) line.textContent = text;
        }
    }
}

/** Calls `tell(place)` as the pointer moves over the columns, not more often than the wire wants. */
export function watchPointer(root, tell) {
    let last = 0;
    let timer;
    let latest;
    const send = () => {
        timer = undefined;
        last = performance.now();
        tell(latest);
    };
    addEventListener('pointermove', (event) => {
        const column = [...root.children].find((column) => {
            const box = column.getBoundingClientRect();
            return event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top;
        });
        if (column === undefined) return;
        const box = column.getBoundingClientRect();
        const x = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
        const y = Math.max(0, Math.round(event.clientY - box.top));
        latest = { column: column.dataset.column, x: Math.round(x * 1000) / 1000, y };
        timer ??= setTimeout(send, Math.max(0, EVERY - (performance.now() - last)));
    });
}
