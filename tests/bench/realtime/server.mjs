// What the benches of sockets compare the host with: the npm socket.io server, its default engine, one
// process. It answers the same events with the same bytes and checks nothing: no session, no validation, no
// limits.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const ROOM = 'bench';

// The host is asked for it until it is ready, and so is this.
const http = createServer((request, response) => {
  const body = '{"status":"ok"}';
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
});
const io = new Server(http, { maxHttpBufferSize: 5 * 1024 * 1024 });

/** What the server half answers: what came, as a success. */
const serverHalf = ({ seq, sent, pad }) => ({ status: 'success', seq, sent, pad });

/** What the client half makes for one recipient: a number that depends on who it is. */
const clientHalf = (token) => {
  let hash = 0x811c9dc5;
  for (let i = 0; i < token.length; i += 1) {
    hash = Math.imul(hash ^ token.charCodeAt(i), 0x01000193) >>> 0;
  }
  return { status: 'success', place: hash };
};

const frame = (fullName, serverOutput, clientOutput) => ({
  cb: fullName,
  fullName,
  serverOutput,
  clientOutput,
  message: `${fullName} sync success`,
  status: 'success',
});

io.on('connection', (socket) => {
  const cookie = socket.handshake.headers.cookie ?? '';
  const token = /(?:^|; )token=([^;]+)/.exec(cookie)?.[1];
  socket.data.token = token;
  if (token !== undefined) {
    socket.join([token, ROOM]);
  }

  socket.on('getJoinedRooms', ({ responseIndex }) => {
    const rooms = [...socket.rooms].filter((room) => room !== socket.id && room !== token);
    socket.emit(`getJoinedRooms-${responseIndex}`, { rooms });
  });

  socket.on('sync', ({ name, data, receiver, responseIndex }) => {
    const serverOutput = serverHalf(data);
    socket.emit(`sync-${responseIndex}`, {
      status: 'success',
      message: `sync ${name} success`,
      result: serverOutput,
    });
    if (name.startsWith('sync/bench/echo')) {
      io.to(receiver).emit('sync', frame(name, serverOutput, {}));
      return;
    }
    const { adapter, sockets } = io.of('/');
    for (const id of adapter.rooms.get(receiver) ?? []) {
      const recipient = sockets.get(id);
      recipient.emit('sync', frame(name, serverOutput, clientHalf(recipient.data.token)));
    }
  });

  socket.on('apiRequest', ({ data, responseIndex }) => {
    const { seq, sent, pad } = data;
    const result = { seq, sent, pad };
    socket.emit(`apiResponse-${responseIndex}`, { status: 'success', httpStatus: 200, result });
  });
});

http.listen(Number(process.env.PORT), '127.0.0.1');
