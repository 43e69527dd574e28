// The parts of the builder that need no tools.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { discover } from '../build/discover.mjs';
import { decode } from '../build/source-map.mjs';
import { inspect } from '../runtime/inspect.js';
import { located, setLocations } from '../runtime/locations.js';

test('the lines of a source map', () => {
  // Two lines of the first source, then the fifth line of the second.
  assert.deepEqual(decode('AAAA,EAAE;AACA;;ACIA'), [
    { source: 0, line: 0 },
    { source: 0, line: 1 },
    undefined,
    { source: 1, line: 5 },
  ]);
});

test('a stack names the files of the author and leaves out the others', () => {
  setLocations(JSON.stringify({ files: ['notes/_api/add_v1.ts'], lines: ',,0:a' }));
  const stack = '    at add (componentize-qjs:user.js:3:7)\n    at next (native)\n    at drive (componentize-qjs:user.js:2:1)\n';
  assert.equal(located(stack), '    at add (notes/_api/add_v1.ts:10)\n');
});

test('values in the log', () => {
  const loop = { name: 'x' };
  loop.self = loop;
  class Point {
    x = 1;
  }
  assert.equal(inspect(loop), '{ name: "x", self: [Circular] }');
  assert.equal(inspect([1, 'a', null, undefined, 2n, () => {}]), '[1, "a", null, undefined, 2n, [Function anonymous]]');
  assert.equal(inspect(new Map([['a', new Set([1])]])), 'Map { "a" => Set { 1 } }');
  assert.equal(inspect(new Point()), 'Point { x: 1 }');
  assert.equal(inspect({ 'a b': new Date(0) }), '{ "a b": 1970-01-01T00:00:00.000Z }');
});

test('pages that are other services are not looked into', () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'discover-'));
  for (const file of ['_api/a_v1.ts', 'admin/_api/b_v2.ts', 'node_modules/x/_api/c_v1.js']) {
    fs.mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
    fs.writeFileSync(path.join(dir, file), 'export const main = 1;');
  }
  const routes = (nested) => discover({ dir, service: 'x', nested }).handlers.map(({ route }) => route);
  assert.deepEqual(routes(true), ['api/x/a/v1', 'api/x/admin/b/v2']);
  assert.deepEqual(routes(false), ['api/x/a/v1']);
  fs.rmSync(dir, { recursive: true });
});
