// Plays one scenario against a host:
//
//   node run.mjs <scenario> <url of the host> [<url of another host of the app>]
//
// Prints one JSON object a line: {"wants": …} when something must be done to the host, which goes on once
// a line comes back, and at the end {"done": true} or {"failed": "…"}.
import { createInterface } from 'node:readline';
import * as api from './scenarios/api.mjs';
import * as connecting from './scenarios/connecting.mjs';
import * as exchanges from './scenarios/exchanges.mjs';
import * as hosts from './scenarios/hosts.mjs';
import * as presence from './scenarios/presence.mjs';
import * as rooms from './scenarios/rooms.mjs';
import * as sessions from './scenarios/sessions.mjs';
import * as sync from './scenarios/sync.mjs';

const scenarios = {
  ...api, ...connecting, ...exchanges, ...hosts, ...presence, ...rooms, ...sessions, ...sync,
};
const [name, url, other] = process.argv.slice(2);

const say = (what) => new Promise((resolve) => process.stdout.write(`${JSON.stringify(what)}\n`, resolve));
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const want = async (wants) => {
  const answer = lines.next();
  await say({ wants });
  // Without whoever started it, nothing is left to do.
  if ((await answer).done) process.exit(1);
};

try {
  await scenarios[name](url, want, other);
  await say({ done: true });
} catch (error) {
  await say({ failed: error?.stack ?? String(error) });
}
process.exit();
