// A value as a person reads it in a log.

import { located } from './locations.js';

const MAX_DEPTH = 4;
const MAX_ITEMS = 100;
const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;

export function inspect(value, depth = 0, seen = []) {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return `[Function ${value.name || 'anonymous'}]`;
    case 'object':
      break;
    default:
      return String(value);
  }
  if (value === null) return 'null';
  if (value instanceof Error) return error(value, depth, seen);
  if (value instanceof Date) return isNaN(value) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (seen.includes(value)) return '[Circular]';
  const inner = (item) => inspect(item, depth + 1, [...seen, value]);
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? '[…]' : '{…}';
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return list('[', ']', Array.from(value), inner);
  if (value instanceof Set) return `Set ${list('{', '}', [...value], inner)}`;
  if (value instanceof Map) {
    return `Map ${list('{', '}', [...value], ([key, item]) => `${inner(key)} => ${inner(item)}`)}`;
  }
  const name = value.constructor?.name;
  const key = (text) => (IDENTIFIER.test(text) ? text : JSON.stringify(text));
  const body = list('{', '}', Object.entries(value), ([name, item]) => `${key(name)}: ${inner(item)}`);
  return name === undefined || name === 'Object' ? body : `${name} ${body}`;
}

function list(open, close, items, each) {
  const shown = items.slice(0, MAX_ITEMS).map(each);
  if (items.length > MAX_ITEMS) shown.push(`… ${items.length - MAX_ITEMS} more`);
  const space = open === '{' && shown.length > 0 ? ' ' : '';
  return `${open}${space}${shown.join(', ')}${space}${close}`;
}

function error(value, depth, seen) {
  const stack = located(value.stack ?? '').trimEnd();
  const head = `${value.name}: ${value.message}`;
  // Some engines begin a stack with the message, others do not.
  let text = stack.startsWith(head) ? stack : stack === '' ? head : `${head}\n${stack}`;
  if (value.cause !== undefined && depth < MAX_DEPTH) {
    text += `\ncaused by ${inspect(value.cause, depth + 1, [...seen, value])}`;
  }
  return text;
}
