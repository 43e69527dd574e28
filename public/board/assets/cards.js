// The cards: what is known of them, and how they are drawn.
//
// The rule: of two versions of a card the one with the larger `rev` counts, whichever way it came. So an
// answer that is overtaken by a newer change does no harm.

import { hue, icon, initials, make, plain } from './text.js';

export const COLUMNS = [
    { id: 'todo', name: 'To do', empty: 'Nothing waits. Add the first card.' },
    { id: 'doing', name: 'In progress', empty: 'Drag a card here when you begin.' },
    { id: 'done', name: 'Done', empty: 'What is finished comes to rest here.' },
];

const LOCK = 'M7.5 10.5V8a4.5 4.5 0 0 1 9 0v2.5M6 10.5h12v9H6z';
const calm = matchMedia('(prefers-reduced-motion: reduce)');

export class Cards {
    #cards = new Map();
    /** The newest version of each card that was heard of, those that are gone included. */
    #revs = new Map();
    #elements = new Map();
    #columns = new Map();
    #root;
    #me = null;
    /** While something is dragged, it is drawn by whoever drags. */
    isHeld = false;

    /** `compose(column)` makes what stands below a column's cards. */
    constructor(root, compose) {
        this.#root = root;
        for (const column of COLUMNS) {
            const count = make('span', { class: 'count' }, '');
            const list = make('ol', { class: 'cards', 'data-column': column.id, 'aria-label': column.name });
            const element = make(
                'section',
                { class: 'column', 'data-column': column.id, 'aria-labelledby': `name-${column.id}` },
                make('header', {}, make('i', { class: 'dot' }), make('h2', { id: `name-${column.id}` }, column.name), count),
                list,
                make('p', { class: 'empty' }, column.empty),
                make('p', { class: 'writes', role: 'status' }),
                compose(column),
            );
            this.#columns.set(column.id, { element, list, count });
            root.append(element);
        }
    }

    /** Three grey cards a column, until the real ones are there. */
    showLoading(isLoading) {
        this.#root.ariaBusy = String(isLoading);
    }

    /** All of the board, as it is now. */
    load({ me, cards }) {
        this.#me = me.id;
        this.#cards = new Map(cards.map((card) => [card.id, card]));
        // A host that has forgotten everything counts from the beginning.
        this.#revs = new Map(cards.map((card) => [card.id, card.rev]));
        this.draw();
    }

    clear() {
        this.#cards.clear();
        this.#revs.clear();
        this.draw();
    }

    get(id) {
        return this.#cards.get(id);
    }

    /** What the room was told of a change, and this recipient alone. */
    hear({ result }, clientOutput) {
        const card = clientOutput?.card === undefined ? result.card : clientOutput.card;
        const rev = Math.max(result.rev, card?.rev ?? 0);
        for (const [id, rank] of result.ranks ?? []) {
            const other = this.#cards.get(id);
            if (other !== undefined && id !== result.id) other.rank = rank;
        }
        if (rev >= (this.#revs.get(result.id) ?? 0)) {
            this.#revs.set(result.id, rev);
            if (card === null) this.#cards.delete(result.id);
            else this.#cards.set(card.id, card);
        }
        this.draw();
    }

    /** Shows a move before the host has agreed; whether it is one. `from` is where the card is drawn just now. */
    expect(id, column, before, from) {
        const card = this.#cards.get(id);
        const isMove = card !== undefined && !(card.column === column && this.#isAbove(card, before));
        if (isMove) this.#put(card, column, before);
        this.draw(from);
        return isMove;
    }

    #isAbove(card, before) {
        const cards = this.#in(card.column);
        return (cards[cards.indexOf(card) + 1]?.id ?? null) === before;
    }

    #put(card, column, before) {
        const others = this.#in(column).filter((other) => other.id !== card.id);
        const found = others.findIndex((other) => other.id === before);
        const at = found < 0 ? others.length : found;
        const above = others[at - 1]?.rank;
        const below = others[at]?.rank;
        if (above === undefined && below === undefined) card.rank = 1024;
        else if (below === undefined) card.rank = above + 1024;
        else if (above === undefined) card.rank = below - 1024;
        else card.rank = (above + below) / 2;
        card.column = column;
    }

    /** The cards of a column from the top. */
    #in(column) {
        const order = (one, other) => one.rank - other.rank || (one.id < other.id ? -1 : 1);
        return [...this.#cards.values()].filter((card) => card.column === column).sort(order);
    }

    column(id) {
        return this.#columns.get(id);
    }

    element(id) {
        return this.#elements.get(id);
    }

    /** Draws what is known; cards glide from where they were. `from` is where one of them is instead. */
    draw(from = new Map()) {
        if (this.isHeld) return;
        const before = this.#places();
        for (const [id, place] of from) before.set(id, place);
        for (const [id, element] of this.#elements) {
            if (!this.#cards.has(id)) {
                element.remove();
                this.#elements.delete(id);
            }
        }
        const isFirst = before.size === 0;
        for (const { id } of COLUMNS) {
            const { list, element, count } = this.#columns.get(id);
            const cards = this.#in(id);
            cards.forEach((card, index) => {
                const own = this.#elementOf(card);
                if (list.children[index] !== own) list.insertBefore(own, list.children[index] ?? null);
            });
            count.textContent = cards.length === 0 ? '' : String(cards.length);
            element.classList.toggle('is-empty', cards.length === 0);
        }
        if (!isFirst) this.glide(before);
    }

    #places() {
        return new Map([...this.#elements].map(([id, element]) => [id, element.getBoundingClientRect()]));
    }

    /** Lets cards that are elsewhere now come from where they were. */
    glide(before) {
        if (calm.matches) return;
        for (const [id, element] of this.#elements) {
            const was = before.get(id);
            const is = element.getBoundingClientRect();
            const timing = { duration: 220, easing: 'cubic-bezier(.2,.8,.3,1)' };
            if (was === undefined) {
                element.animate([{ opacity: 0, transform: 'scale(.96)' }, { opacity: 1, transform: 'none' }], timing);
            } else if (Math.abs(was.x - is.x) > 1 || Math.abs(was.y - is.y) > 1) {
                element.animate([{ transform: `translate(${was.x - is.x}px, ${was.y - is.y}px)` }, { transform: 'none' }], timing);
            }
        }
    }

    /** Moves elements about without drawing, and lets the others make room. */
    shift(act) {
        const before = this.#places();
        act();
        this.glide(before);
    }

    #elementOf(card) {
        let element = this.#elements.get(card.id);
        const isNew = element === undefined;
        if (isNew) {
            element = make('li', { class: 'card', tabindex: '0', 'data-id': card.id, 'aria-describedby': 'keys' });
            this.#elements.set(card.id, element);
        }
        const version = `${card.rev} ${card.text}`;
        if (element.dataset.version === version) return element;
        const isChange = !isNew;
        element.dataset.version = version;
        element.classList.toggle('is-private', card.private);
        const name = plain(card.ownerName);
        const isMine = card.owner === this.#me;
        const by = make(
            'footer',
            {},
            make('span', { class: 'face small', style: `--hue:${hue(card.owner)}`, 'aria-hidden': 'true' }, initials(name)),
            make('span', {}, isMine ? 'You' : name),
        );
        if (card.private) by.append(make('span', { class: 'lock', title: 'Nobody else sees this card' }, icon(LOCK), 'Only you'));
        element.replaceChildren(make('p', {}, card.text), by);
        if (isChange && !calm.matches) element.animate([{ '--glow': '1' }, { '--glow': '0' }], { duration: 900 });
        return element;
    }
}
