// The complete engine has its own global scope; only `console` goes elsewhere than there.

import { console } from './console.js';

Object.defineProperty(globalThis, 'console', { value: console, writable: true, configurable: true });
