// The list of vehicles as Fastify serves it: the objects are in memory, each request turns them into JSON.
// With SCHEMA=1 the route declares its response, and Fastify compiles a serialiser from that.
'use strict';

const { readFileSync } = require('node:fs');
const fastify = require('fastify')({ logger: false });

const { status, httpStatus, result } = JSON.parse(readFileSync(process.env.ANSWER, 'utf8'));

const string = { type: 'string' };
const number = { type: 'number' };
const vehicle = {
  type: 'object',
  properties: { id: string, name: string, lat: number, lng: number, speed: number, status: string },
};
const envelope = {
  type: 'object',
  properties: { status: string, httpStatus: number, result: { type: 'array', items: vehicle } },
};
const options = process.env.SCHEMA === '1' ? { schema: { response: { 200: envelope } } } : {};

fastify.get('/api/vehicles/getAll/v1', options, async () => ({ status, httpStatus, result }));

fastify.listen({ host: '127.0.0.1', port: Number(process.env.PORT) }).catch((error) => {
  console.error(error);
  process.exit(1);
});
