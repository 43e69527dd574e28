// From a script to a component, with either engine.

import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { WORLD } from './world.mjs';

/** `source` as a component with the small engine. */
async function quickjs(source, witPath, modules) {
  const { componentize } = createRequire(path.join(modules, 'x.js'))('componentize-qjs');
  const { component } = await componentize({ witPath, jsSource: source, world: WORLD, sync: true });
  return component;
}

/** `source` as a component with the complete engine. */
async function starlingmonkey(source, witPath, modules) {
  const file = path.join(modules, '@bytecodealliance/componentize-js/src/componentize.js');
  const { componentize } = await import(pathToFileURL(file).href);
  const { component } = await componentize(source, {
    witPath,
    worldName: WORLD,
    // A plugin reaches the network through its own imports only.
    disableFeatures: ['http', 'fetch-event'],
  });
  return component;
}

export const engines = { quickjs, starlingmonkey };
