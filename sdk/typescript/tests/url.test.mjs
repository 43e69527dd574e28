// `URL` and `URLSearchParams` agree with Node's.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { URL as Own, URLSearchParams as OwnParams } from '../runtime/shims/url.js';

const KEYS = ['href', 'origin', 'protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];
const parts = (url) => Object.fromEntries(KEYS.map((key) => [key, url[key]]));

const URLS = [
  ['https://example.com'],
  ['HTTPS://User:pa%20ss@Example.COM:443/a/../b/./c?x=1&y=é#z'],
  ['http://localhost:8080/a b'],
  ['http://[::1]:3000/'],
  ['/x?y', 'https://example.com/a/b?c#d'],
  ['../x', 'https://example.com/a/b/c'],
  ['x/', 'https://example.com/a/b'],
  ['?q=1', 'https://example.com/a/b?c#d'],
  ['#f', 'https://example.com/a/b?c#d'],
  ['//other.com/p', 'https://example.com/a'],
  ['mailto:a@b.c'],
  ['data:text/plain,hi'],
  ['https://example.com/a/%2e%2E/b'],
  ['https://a:1@example.com/'],
];

for (const [input, base] of URLS) {
  test(`${input} ${base ?? ''}`, () => assert.deepEqual(parts(new Own(input, base)), parts(new URL(input, base))));
}

test('what is no address is refused', () => {
  for (const text of ['', 'nope', '/x', 'http://', 'http://a b/', 'http://x:99999/']) {
    assert.throws(() => new Own(text), TypeError, text);
    assert.equal(Own.canParse(text), false);
  }
});

test('parts can be set', () => {
  for (const set of [
    (url) => { url.pathname = 'a b/../c'; },
    (url) => { url.search = 'x=1'; },
    (url) => { url.hash = 'top'; },
    (url) => { url.host = 'other.org:81'; },
    (url) => { url.port = '443'; },
    (url) => { url.searchParams.set('k', 'v w'); },
    (url) => { url.search = ''; },
  ]) {
    const [own, native] = [new Own('https://example.com:8443/p?k=1&k=2#h'), new URL('https://example.com:8443/p?k=1&k=2#h')];
    set(own);
    set(native);
    assert.deepEqual(parts(own), parts(native), set.toString());
  }
});

test('query parameters', () => {
  for (const init of ['a=1&b=2&a=3', '?x=%C3%A9+z&&=empty', { a: "1'(2)!~*", b: 'é&=' }, [['a', '1'], ['a', '2']], 'bad=%zz']) {
    const [own, native] = [new OwnParams(init), new URLSearchParams(init)];
    if (init !== 'bad=%zz') assert.equal(own.toString(), native.toString());
    assert.deepEqual([...own], [...native]);
    assert.deepEqual(own.getAll('a'), native.getAll('a'));
  }
});
