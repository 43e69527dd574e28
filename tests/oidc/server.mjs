// An OpenID Connect provider for tests: one client, any person, forms for login and consent.
//
//   node server.mjs <redirect uri>...
//
// Prints one line of JSON, {"issuer": "http://127.0.0.1:<port>"}, when it listens; ends with its standard
// input, so that it never outlives whoever started it.
import { createServer } from 'node:http';
import { once } from 'node:events';
import Provider, { interactionPolicy } from 'oidc-provider';

const redirectUris = process.argv.slice(2);

// The issuer is a part of the configuration, so the port has to be known first.
const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const issuer = `http://127.0.0.1:${server.address().port}`;

// Whoever logs in as `jane` is jane@example.com.
const person = (id) => ({
  accountId: id,
  claims: () => ({
    sub: id,
    email: `${id}@example.com`,
    email_verified: true,
    name: `${id} of the provider`,
    picture: `https://pictures.example.com/${id}.png`,
  }),
});

// `prompt=select_account` is understood and needs no page of its own: whoever has no session logs in.
const policy = interactionPolicy.base();
const choosing = new interactionPolicy.Prompt({ name: 'select_account', requestable: true });
choosing.checks.clear();
policy.add(choosing, 0);

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'luckystack-test',
      client_secret: 'luckystack-test-secret-of-forty-characters',
      redirect_uris: redirectUris,
      grant_types: ['authorization_code'],
      response_types: ['code'],
    },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'picture'] },
  cookies: { keys: ['a key of these tests alone'] },
  findAccount: (_context, id) => person(id),
  interactions: { policy },
  pkce: { required: () => true, methods: ['S256'] },
});

server.on('request', provider.callback());
process.stdin.on('end', () => process.exit(0)).resume();
console.log(JSON.stringify({ issuer }));
