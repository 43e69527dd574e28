// `console`, to the service's log.

import * as logging from 'wasi:logging/logging@0.1.0-draft';

import { inspect } from './inspect.js';
import { isLive } from './live.js';

/** Lines of the time when the component was built: there was no log then. */
let early = [];
const counts = new Map();
const timers = new Map();
let indent = '';

function format(args) {
  let rest = args;
  let text = '';
  if (typeof args[0] === 'string' && args[0].includes('%')) {
    let index = 1;
    text = args[0].replace(/%[sdifjoOc%]/g, (mark) => {
      if (mark === '%%') return '%';
      if (index >= args.length) return mark;
      const value = args[index++];
      switch (mark) {
        case '%s':
          return typeof value === 'string' ? value : inspect(value);
        case '%d':
          return String(Number(value));
        case '%i':
          return String(parseInt(value, 10));
        case '%f':
          return String(parseFloat(value));
        case '%j':
          return JSON.stringify(value);
        case '%c':
          return '';
        default:
          return inspect(value);
      }
    });
    rest = args.slice(index);
  }
  const parts = rest.map((value) => (typeof value === 'string' ? value : inspect(value)));
  if (args.length !== rest.length) parts.unshift(text);
  return indent + parts.join(' ');
}

/** Writes a line; `context` says where it comes from. */
export function log(level, context, message) {
  if (isLive()) logging.log(level, context, message);
  else early.push([level, context, message]);
}

/** Writes the lines of the time when the component was built. */
export function flushEarly() {
  const lines = early;
  early = [];
  for (const [level, context, message] of lines) logging.log(level, context, message);
}

const at = (level) => (...args) => log(level, 'console', format(args));

export const console = {
  log: at('info'),
  info: at('info'),
  debug: at('debug'),
  trace: (...args) => log('trace', 'console', `${format(args)}\n${new Error().stack ?? ''}`),
  warn: at('warn'),
  error: at('error'),
  dir: (value) => log('info', 'console', indent + inspect(value)),
  table: at('info'),
  assert(condition, ...args) {
    if (!condition) log('error', 'console', `assertion failed${args.length > 0 ? `: ${format(args)}` : ''}`);
  },
  count(label = 'default') {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    log('info', 'console', `${label}: ${counts.get(label)}`);
  },
  countReset: (label = 'default') => void counts.delete(label),
  time: (label = 'default') => void timers.set(label, Date.now()),
  timeLog(label = 'default', ...args) {
    const took = timers.has(label) ? `${Date.now() - timers.get(label)} ms` : 'no such timer';
    log('info', 'console', format([`${label}: ${took}`, ...args]));
  },
  timeEnd(label = 'default') {
    console.timeLog(label);
    timers.delete(label);
  },
  group(...args) {
    if (args.length > 0) log('info', 'console', format(args));
    indent += '  ';
  },
  groupEnd() {
    indent = indent.slice(2);
  },
};
console.groupCollapsed = console.group;
