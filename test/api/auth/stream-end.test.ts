import { EventEmitter, once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyReply } from 'fastify';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { authPlugin } from '../../../src/api/auth/auth-plugin.js';
import { endWithToken } from '../../../src/api/auth/stream-end.js';
import { TokenRegistry } from '../../../src/api/auth/token-registry.js';
import type { Clock } from '../../../src/clock.js';
import { Keys } from '../../../src/etcd/keys.js';
import { del } from '../../../src/etcd/txn.js';
import { createToken } from '../../../src/operations/tokens/create-token.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';

const keys = new Keys();
const clock = new FakeClock(Date.UTC(2026, 10, 22));
const etcd = new MemoryEtcd(clock);
const store = etcd.connect();
let app = Fastify();
let isOver = false;
/** Of the stream that is late. */
let asked = (): void => undefined;
let mayBegin = Promise.resolve();
/** To be added to the time at the next turn. */
let leapMs = 0;

/** Watches deliver by timers of the clock. */
async function letTimePass(): Promise<void> {
  while (!isOver) {
    const ms = leapMs;
    leapMs = 0;
    await clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

beforeAll(() => void letTimePass());
afterEach(() => app.close());
afterAll(() => void (isOver = true));

async function start(isLoopback: boolean): Promise<number> {
  app = Fastify({ forceCloseConnections: true });
  const log = silentLogger();
  const tokens = new TokenRegistry({ store, keys, clock, log });
  await app.register(authPlugin, { tokens, clock, log, isLoopback });
  app.get('/stream', { config: { role: 'viewer' } }, (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
    reply.raw.write('data: hello\n\n');
  });
  app.get('/late', { config: { role: 'viewer' } }, async (_request, reply) => {
    asked();
    await mayBegin;
    reply.hijack();
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
    reply.raw.write('data: hello\n\n');
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  return (app.server.address() as AddressInfo).port;
}

/** Resolves with the first bytes; `ended` when the server cuts the connection. */
async function listen(
  port: number,
  token: string | null,
  path = '/stream',
): Promise<{ ended: Promise<unknown> }> {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const sent = request({ port, path, headers }).end();
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  expect(answer.statusCode).toBe(200);
  const ended = once(answer, 'aborted');
  answer.on('error', () => undefined);
  await once(answer, 'data');
  return { ended };
}

const make = (lifetimeMs: number | null) =>
  createToken({ store, keys, clock, actor: { name: 'test' } }, { name: 'anna', role: 'viewer', lifetimeMs });

it('a stream ends when its token is revoked, and others go on', async () => {
  const port = await start(false);
  const [one, other] = [await make(null), await make(null)];
  const stream = await listen(port, one.text);
  const rest = await listen(port, other.text);
  let restEnded = false;
  void rest.ended.then(() => (restEnded = true));
  etcd.txn({ compare: [], success: [del(keys.token(one.id))] });
  await stream.ended;
  expect(restEnded).toBe(false);
  etcd.txn({ compare: [], success: [del(keys.token(other.id))] });
  await rest.ended;
});

it('a stream ends when its token expires, long after anybody else asked for anything', async () => {
  const port = await start(false);
  const { text } = await make(3_600_000);
  const stream = await listen(port, text);
  leapMs = 3_600_000;
  await stream.ended;
});

it('a stream that needed no token ends with the first token', async () => {
  for (const { key } of etcd.range({ start: keys.tokens, end: `${keys.tokens}~` }).kvs)
    etcd.txn({ compare: [], success: [del(key)] });
  const port = await start(true);
  const stream = await listen(port, null);
  leapMs = 3_600_000;
  await make(null);
  await stream.ended;
});

it('a stream that begins when its token is revoked already ends, too', async () => {
  const port = await start(false);
  const { id, text } = await make(null);
  const begun = new Promise<void>((resolve) => (asked = resolve));
  let begin!: () => void;
  mayBegin = new Promise((resolve) => (begin = resolve));
  const listening = listen(port, text, '/late');
  await begun;
  etcd.txn({ compare: [], success: [del(keys.token(id))] });
  const revokedAtMs = clock.now();
  leapMs = 500;
  // The server has heard of it then.
  while (clock.now() < revokedAtMs + 500) await new Promise((resolve) => setImmediate(resolve));
  begin();
  const stream = await listening;
  leapMs = 1_000;
  await stream.ended;
});

it('nothing is kept for somebody who left before it was known who he is', () => {
  const raw = Object.assign(new EventEmitter(), {
    destroyed: true,
    headersSent: false,
    writableEnded: false,
  });
  let listening = 0;
  const tokens = {
    onChange: () => {
      listening += 1;
      return () => (listening -= 1);
    },
    stillCounts: () => true,
  } as unknown as TokenRegistry;
  const actor = { name: 'anna', role: 'viewer', via: 'api' } as const;
  const access = { actor, by: 'token', tokenId: 'a', expiresAt: clock.now() + 3_600_000 } as const;
  let timers = 0;
  const counting: Clock = {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer: () => {
      timers += 1;
      return { cancel: () => void (timers -= 1) };
    },
  };
  endWithToken({ raw } as unknown as FastifyReply, access, tokens, counting);
  expect([listening, timers]).toEqual([0, 0]);
});
