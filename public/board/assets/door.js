// Who somebody is: guests, accounts, signing out.

const REASONS = {
    'login.empty': 'Fill in all fields.',
    'login.invalidEmailFormat': 'That is no e-mail address.',
    'login.wrongPassword': 'E-mail or password is wrong.',
    'login.emailExists': 'There is an account with this e-mail address already.',
    'login.passwordCharacterMinimum': 'The password needs at least 8 characters.',
    'login.passwordTooCommon': 'That password is too easy to guess.',
    'login.accountLocked': 'Too many tries. Wait some minutes.',
    'auth.registrationDisabled': 'New accounts cannot be made here.',
    'api.rateLimitExceeded': 'Too many tries. Wait a minute.',
    unreachable: 'The board cannot be reached. Try again.',
};

const KEPT = 'board.guest';

const stored = () => {
    try {
        return JSON.parse(localStorage.getItem(KEPT));
    } catch {
        return null;
    }
};

const random = (length) => [...crypto.getRandomValues(new Uint8Array(length))].map((byte) => (byte % 36).toString(36)).join('');

/** Asks the host; what is wrong as a sentence, or null. */
async function ask(fields) {
    try {
        const response = await fetch('/auth/api/credentials', {
            method: 'POST',
            headers: { 'Content-Type': 'application/json', 'X-Session-Based-Token': 'false' },
            body: JSON.stringify(fields),
        });
        const answer = await response.json();
        if (answer.authenticated) return null;
        const reason = answer.reason ?? answer.errorCode ?? 'unreachable';
        return REASONS[reason] ?? `That did not work (${reason}).`;
    } catch {
        return REASONS.unreachable;
    }
}

export async function signOut() {
    const headers = { 'Content-Type': 'application/json' };
    try {
        const csrf = await fetch('/auth/csrf');
        if (csrf.ok) headers['x-csrf-token'] = (await csrf.json()).csrfToken;
        await fetch('/auth/logout', { method: 'POST', headers, body: '{}' });
    } catch {
        // The host is not there; the page asks again who it is when it is back.
    }
}

/** The forms. `entered` is called when somebody has come in. */
export class Door {
    #element = document.getElementById('door');
    #guest = document.getElementById('guest');
    #account = document.getElementById('account');
    #again = document.getElementById('again');
    #refused = document.getElementById('refused');
    #other = document.getElementById('other-door');
    #entered;

    constructor(entered) {
        this.#entered = entered;
        this.#guest.addEventListener('submit', (event) => this.#submit(event, () => this.#asGuest()));
        this.#account.addEventListener('submit', (event) => this.#submit(event, () => this.#asAccount()));
        this.#again.addEventListener('click', (event) => this.#submit(event, () => ask(stored())));
        this.#other.addEventListener('click', () => this.#turn(this.#account.hidden));
        this.#account.addEventListener('change', () => this.#label());
        this.#turn(false);
    }

    show() {
        const known = stored();
        this.#turn(false);
        if (known !== null) this.#again.textContent = `Continue as ${known.name}`;
        const join = this.#guest.querySelector('button');
        join.classList.toggle('second', known !== null);
        join.textContent = known === null ? 'Join as a guest' : 'Join as another guest';
        this.#guest.elements.name.value = '';
        this.#element.hidden = false;
        if (matchMedia('(hover: hover)').matches) (known === null ? this.#guest.elements.name : this.#again).focus();
    }

    hide() {
        this.#element.hidden = true;
    }

    #turn(toAccount) {
        this.#guest.hidden = toAccount;
        this.#account.hidden = !toAccount;
        this.#again.hidden = toAccount || stored() === null;
        this.#other.textContent = toAccount ? 'Join as a guest instead' : 'I have an account';
        this.#refused.textContent = '';
        this.#label();
    }

    #label() {
        const isNew = this.#account.elements.kind.value === 'new';
        this.#account.dataset.kind = isNew ? 'new' : 'in';
        this.#account.querySelector('button').textContent = isNew ? 'Create account' : 'Sign in';
        this.#account.elements.password.autocomplete = isNew ? 'new-password' : 'current-password';
    }

    async #submit(event, act) {
        event.preventDefault();
        if (this.#element.ariaBusy === 'true') return;
        this.#element.ariaBusy = 'true';
        const refused = await act();
        this.#element.ariaBusy = 'false';
        this.#refused.textContent = refused ?? '';
        if (refused === null) this.#entered();
    }

    /** An account that only this browser knows the password of. */
    async #asGuest() {
        const name = this.#guest.elements.name.value.trim();
        if (name === '') return 'Tell the others your name.';
        const password = random(24);
        const fields = { email: `guest-${random(16)}@board.example`, password, name, confirmPassword: password };
        const refused = await ask(fields);
        if (refused === null) {
            try {
                localStorage.setItem(KEPT, JSON.stringify({ email: fields.email, password, name }));
            } catch {
                // Without a storage one is a new guest the next time.
            }
        }
        return refused;
    }

    #asAccount() {
        const { kind, name, email, password } = this.#account.elements;
        const fields = { email: email.value, password: password.value };
        if (kind.value === 'in') return ask(fields);
        if (name.value.trim() === '') return Promise.resolve('Tell the others your name.');
        return ask({ ...fields, name: name.value.trim(), confirmPassword: password.value });
    }
}
