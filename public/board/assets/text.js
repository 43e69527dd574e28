// Small things about text and colour.

const ENTITIES = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&#x27;': "'" };

/** A name as it was typed: the host keeps names ready for HTML, and this page writes none. */
export const plain = (name) => String(name ?? '').replace(/&(amp|lt|gt|quot|#39|#x27);/g, (entity) => ENTITIES[entity]) || 'Somebody';

/** One or two letters for a small circle. */
export function initials(name) {
    const words = plain(name).trim().split(/\s+/);
    const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
    return letters.map((word) => [...word][0] ?? '').join('').toUpperCase();
}

/** The hue of somebody, the same on every screen. */
export function hue(id) {
    let hash = 0x811c9dc5;
    for (const letter of String(id)) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
    return ((hash ^ (hash >>> 15)) >>> 0) % 360;
}

/** An element with its attributes and children. */
export function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value === true ? '' : value);
    }
    element.append(...children);
    return element;
}

/** A line drawing out of paths that this page wrote itself. */
export function icon(path) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    svg.setAttribute('viewBox', '0 0 24 24');
    svg.setAttribute('aria-hidden', 'true');
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    line.setAttribute('d', path);
    svg.append(line);
    return svg;
}

/** Tells those who listen instead of looking. */
export function say(text) {
    document.getElementById('said').textContent = text;
}

/** Tells something for some seconds. */
export function toast(text, kind = 'note') {
    const element = make('p', { class: 'toast', 'data-kind': kind }, text);
    document.getElementById('toasts').append(element);
    setTimeout(() => element.classList.add('is-going'), 4200);
    setTimeout(() => element.remove(), 4600);
}
