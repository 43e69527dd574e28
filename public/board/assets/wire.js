// The framework over socket.io: requests with an answer of their own, rooms, and what the room hears.

import { io } from './vendor/socket.io.esm.min.js';

/** How long an answer may take, in milliseconds. */
const PATIENCE = 15_000;

const failed = (errorCode) => ({ status: 'error', errorCode, message: errorCode });

/** One connection. `on` hears of `sync`, `connect`, `disconnect`, `logout`, … */
export class Wire {
    #socket = io({ autoConnect: false, reconnectionDelay: 400, reconnectionDelayMax: 4000 });
    #index = 0;

    constructor() {
        // The host ended it, as it does when it goes down: the client would not come back by itself.
        this.#socket.on('disconnect', (reason) => {
            if (reason === 'io server disconnect') setTimeout(() => this.#socket.connect(), 800);
        });
    }

    get isOpen() {
        return this.#socket.connected;
    }

    on(event, listener) {
        this.#socket.on(event, listener);
    }

    /** Connects, anew when it was connected: who somebody is, is asked when a connection is made. */
    open() {
        this.#socket.disconnect();
        this.#socket.connect();
    }

    /** Says something that has no answer. */
    tell(event) {
        if (this.#socket.connected) this.#socket.emit(event);
    }

    /** Calls an API: the envelope, also when it failed. */
    api(name, data) {
        return this.#ask('apiRequest', 'apiResponse', { name: `api/${name}`, data });
    }

    /** Runs a sync for everybody in a room: its acknowledgement, also when it failed. */
    sync(name, receiver, data) {
        return this.#ask('sync', 'sync', { name: `sync/${name}`, cb: name, receiver, data });
    }

    /** Joins a room: the rooms, or an envelope of an error. */
    join(group) {
        return this.#ask('joinRoom', 'joinRoom', { group });
    }

    #ask(event, answer, payload) {
        if (!this.#socket.connected) return Promise.resolve(failed('api.disconnected'));
        const responseIndex = ++this.#index;
        const name = `${answer}-${responseIndex}`;
        return new Promise((resolve) => {
            const settle = (envelope) => {
                clearTimeout(timer);
                this.#socket.off(name, settle);
                this.#socket.off('disconnect', lost);
                resolve(envelope);
            };
            const lost = () => settle(failed('api.disconnected'));
            const timer = setTimeout(() => settle(failed('api.timeout')), PATIENCE);
            this.#socket.on(name, settle);
            this.#socket.on('disconnect', lost);
            this.#socket.emit(event, { ...payload, responseIndex });
        });
    }
}
