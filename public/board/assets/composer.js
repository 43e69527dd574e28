// Below each column: a button that becomes a small form for a new card.

import { icon, make } from './text.js';

/** Between two signs that somebody writes, in milliseconds. */
const SIGN = 1500;

/** `add(column, text, isPrivate)` tells whether it worked; `writes(column, on)` that somebody is at it. */
export function composer(column, { add, writes }) {
    const open = make('button', { class: 'add', type: 'button' }, icon('M12 5v14M5 12h14'), 'Add a card');
    const text = make('textarea', { rows: '2', maxlength: '400', 'aria-label': `New card in ${column.name}`, placeholder: 'What is to be done?' });
    const isPrivate = make('input', { type: 'checkbox', role: 'switch' });
    const submit = make('button', { class: 'primary', type: 'submit' }, 'Add');
    const cancel = make('button', { class: 'quiet', type: 'button' }, 'Cancel');
    const form = make(
        'form',
        { class: 'composer', hidden: true },
        text,
        make('div', { class: 'actions' }, make('label', { class: 'switch' }, isPrivate, make('span', {}, 'Only me')), make('span'), cancel, submit),
    );
    let told = 0;

    const show = (isOpen) => {
        form.hidden = !isOpen;
        open.hidden = isOpen;
        if (!isOpen && told > 0) writes(column.id, false);
        told = 0;
    };
    open.addEventListener('click', () => {
        show(true);
        text.focus();
    });
    const close = () => {
        text.value = '';
        isPrivate.checked = false;
        show(false);
        open.focus();
    };
    cancel.addEventListener('click', close);
    form.addEventListener('focusout', ({ relatedTarget }) => {
        if (text.value === '' && !submit.disabled && relatedTarget !== null && !form.contains(relatedTarget)) show(false);
    });
    text.addEventListener('input', () => {
        text.style.height = 'auto';
        text.style.height = `${text.scrollHeight + 2}px`;
        // What nobody else is going to see, nobody else is told of.
        if (isPrivate.checked || performance.now() - told < SIGN) return;
        told = performance.now();
        writes(column.id, true);
    });
    text.addEventListener('keydown', (event) => {
        if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            form.requestSubmit();
        } else if (event.key === 'Escape') {
            close();
        }
    });
    form.addEventListener('submit', async (event) => {
        event.preventDefault();
        if (text.value.trim() === '' || submit.disabled) return;
        submit.disabled = true;
        const worked = await add(column.id, text.value, isPrivate.checked);
        submit.disabled = false;
        if (told > 0) writes(column.id, false);
        told = 0;
        // What was not taken stays where it was written.
        if (worked) {
            text.value = '';
            text.style.height = '';
        }
        text.focus();
    });
    return make('div', { class: 'foot' }, open, form);
}
