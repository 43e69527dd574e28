// What a stock front end does to know its user: cookies or a stored token, CSRF tokens fetched when needed.

const tokenMode = new URLSearchParams(location.search).has('token-mode');
const element = (id) => document.getElementById(id);
let csrfToken = null;

/** Fetches with the session; what changes something carries a CSRF token in cookie mode. */
async function httpFetch(path, options = {}) {
    const method = options.method ?? 'GET';
    const headers = { ...options.headers };
    if (typeof options.body === 'string') headers['Content-Type'] = 'application/json';
    if (tokenMode) {
        const token = sessionStorage.getItem('token');
        if (token) headers.Authorization = `Bearer ${token}`;
    }
    const needsProof = !tokenMode && ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method);
    const send = async () => {
        if (needsProof) {
            csrfToken ??= await fetchCsrfToken();
            if (csrfToken) headers['x-csrf-token'] = csrfToken;
            else delete headers['x-csrf-token'];
        }
        return fetch(path, { ...options, method, headers, credentials: 'include' });
    };
    const response = await send();
    if (needsProof && response.status === 403) {
        const body = await response.clone().json().catch(() => null);
        if (body?.errorCode === 'auth.csrfMismatch') {
            csrfToken = null;
            return send();
        }
    }
    return response;
}

/** Null for a visitor who is not signed in: his requests need no proof. */
async function fetchCsrfToken() {
    const response = await fetch('/auth/csrf', { credentials: 'include' });
    return response.ok ? (await response.json()).csrfToken : null;
}

/** Asks who is signed in and shows it. */
async function refresh() {
    const response = await httpFetch('/api/system/session/v1', { method: 'POST', body: '{}' });
    const { result } = await response.json();
    element('login').hidden = result !== null;
    element('inside').hidden = result === null;
    element('name').textContent = result?.name ?? '';
    document.body.dataset.asked = String(Number(document.body.dataset.asked ?? 0) + 1);
}

element('login').addEventListener('submit', async (event) => {
    event.preventDefault();
    const headers = { 'X-Session-Based-Token': String(tokenMode) };
    const body = JSON.stringify({ email: element('email').value, password: element('password').value });
    const response = await httpFetch('/auth/api/credentials', { method: 'POST', headers, body });
    const answer = await response.json();
    element('reason').textContent = answer.status === true ? '' : answer.reason;
    if (answer.status !== true) return;
    csrfToken = null;
    const token = response.headers.get('X-Session-Token');
    if (token) sessionStorage.setItem('token', token);
    await refresh();
});

element('ask').addEventListener('click', refresh);
element('leave').addEventListener('click', async () => {
    await httpFetch('/auth/logout', { method: 'POST', body: '{}' });
    sessionStorage.removeItem('token');
    csrfToken = null;
    await refresh();
});

const { providers } = await (await fetch('/auth/providers')).json();
document.body.dataset.providers = providers.join(' ');
await refresh();
