// The dialog of one card.

import { COLUMNS } from './cards.js';
import { make, plain } from './text.js';

const element = (id) => document.getElementById(id);

/** `save(card, changes)` and `remove(card)` do what was asked for. */
export class Editor {
    #dialog = element('editor');
    #card = null;

    constructor({ save, remove }) {
        element('editor-column').append(...COLUMNS.map(({ id, name }) => make('option', { value: id }, name)));
        element('editor-cancel').addEventListener('click', () => this.#dialog.close());
        element('editor-remove').addEventListener('click', () => {
            this.#dialog.close();
            remove(this.#card);
        });
        this.#dialog.addEventListener('click', (event) => event.target === this.#dialog && this.#dialog.close());
        element('editor-text').addEventListener('keydown', (event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.#dialog.querySelector('form').requestSubmit();
        });
        this.#dialog.querySelector('form').addEventListener('submit', (event) => {
            const text = element('editor-text').value.trim();
            if (text === '') {
                event.preventDefault();
                element('editor-text').focus();
                return;
            }
            const changes = {};
            if (text !== this.#card.text) changes.text = text;
            if (element('editor-private').checked !== this.#card.private) changes.private = element('editor-private').checked;
            if (element('editor-column').value !== this.#card.column) changes.column = element('editor-column').value;
            save(this.#card, changes);
        });
    }

    open(card, isMine) {
        this.#card = { ...card };
        element('editor-owner').textContent = isMine ? 'You wrote this.' : `${plain(card.ownerName)} wrote this.`;
        element('editor-text').value = card.text;
        element('editor-column').value = card.column;
        element('editor-private').checked = card.private;
        element('editor-private-row').hidden = !isMine;
        this.#dialog.showModal();
        element('editor-text').focus();
    }

    close() {
        this.#dialog.close();
    }
}
