// A server of socket.io in a cluster over Redis, and stock clients of this and other servers.
//
//   node peer.mjs <redis url> redis|ioredis
//
// Prints {"port": n} when it listens. Then reads orders, one line of JSON each, {"id": n, "do": name, …}, and
// answers {"id": n, "ok": value} or {"id": n, "error": message}; what a client hears is printed as
// {"client": name, "event": name, "args": […]}. Ends with its standard input.
//
// In arguments {"$binary": hex} stands for a Buffer, {"$date": n} for a Date.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Server } from 'socket.io';
import { io as connect } from 'socket.io-client';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Redis } from 'ioredis';

const [url, kind] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// The adapter does not look what becomes of what it publishes; without Redis that is an error.
process.on('unhandledRejection', () => {});

const redis = async () => {
  if (kind === 'ioredis') {
    const client = new Redis(url, { retryStrategy: () => 50 });
    client.on('error', () => {});
    await once(client, 'ready');
    return client;
  }
  const client = createClient({ url, socket: { reconnectStrategy: () => 50 } });
  client.on('error', () => {});
  return client.connect();
};

const http = createServer();
const server = new Server(http, { adapter: createAdapter(await redis(), await redis()) });
server.on('connection', (socket) => {
  socket.data.of = 'node';
  socket.on('join', (rooms, done) => {
    socket.join(rooms);
    done(true);
  });
});
http.listen(0, '127.0.0.1');
await once(http, 'listening');

const revived = (value) => {
  if (Array.isArray(value)) return value.map(revived);
  if (value === null || typeof value !== 'object') return value;
  if ('$binary' in value) return Buffer.from(value.$binary, 'hex');
  if ('$date' in value) return new Date(value.$date);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, revived(one)]));
};
const shown = (value) => {
  if (Buffer.isBuffer(value)) return { $binary: value.toString('hex') };
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return shown(Buffer.from(value));
  if (Array.isArray(value)) return value.map(shown);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shown(one)]));
};

const clients = new Map();
const target = ({ rooms = [], except = [] }) => {
  let operator = server.except(except);
  for (const room of rooms) operator = operator.to(room);
  return operator;
};

const orders = {
  // --- clients ---
  connect: ({ name, url, transport, headers, auth }) =>
    new Promise((resolve, reject) => {
      const client = connect(url, {
        transports: [transport],
        extraHeaders: headers,
        auth,
        forceNew: true,
        reconnection: false,
      });
      clients.set(name, client);
      client.once('connect', () => resolve(client.id));
      client.once('connect_error', reject);
      client.on('disconnect', (reason) => say({ client: name, event: 'disconnect', args: [reason] }));
      client.onAny((event, ...args) => {
        const answer = typeof args.at(-1) === 'function' ? args.pop() : undefined;
        say({ client: name, event, args: shown(args) });
        answer?.(name);
      });
    }),
  join: ({ name, rooms }) => clients.get(name).timeout(10_000).emitWithAck('join', rooms),

  // --- this server ---
  emit: (order) => target(order).emit(order.event, ...revived(order.args)),
  emitWithAck: (order) => target(order).timeout(order.timeout).emitWithAck(order.event, ...revived(order.args)),
  fetchSockets: async (order) =>
    (await target(order).fetchSockets()).map(({ id, handshake, rooms, data }) => ({
      id,
      rooms: [...rooms],
      data,
      handshake,
      // As apps read them, without a look whether they are there.
      cookie: handshake.headers.cookie,
      languages: handshake.headers['accept-language'],
      token: handshake.auth.token,
    })),
  emitToEach: async (order) => {
    for (const socket of await target(order).fetchSockets()) socket.emit(order.event, socket.id);
  },
  socketsJoin: (order) => target(order).socketsJoin(order.join),
  socketsLeave: (order) => target(order).socketsLeave(order.leave),
  disconnectSockets: (order) => target(order).disconnectSockets(order.close),
  serverSideEmit: (order) =>
    new Promise((resolve, reject) => {
      server.serverSideEmit(order.event, 1, (error, answers) => (error ? reject(error) : resolve(answers.length)));
    }),
  allRooms: async () => [...(await server.of('/').adapter.allRooms())],
  serverCount: () => server.of('/').adapter.serverCount(),
};

say({ port: http.address().port });
for await (const line of createInterface({ input: process.stdin })) {
  const { id, do: name, ...order } = JSON.parse(line);
  Promise.resolve()
    .then(() => orders[name](order))
    .then(
      (value) => say({ id, ok: value === server || value === undefined ? null : value }),
      (error) => say({ id, error: error.message }),
    );
}
process.exit(0);
