import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createRandom } from '../../src/random.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { TcpLink } from './tcp-link.js';
import type { TcpPathOptions } from './tcp-path.js';
import { waitUntil } from './wait.js';

interface Line {
  link: TcpLink;
  client: Socket;
  server: Socket;
  received: { client: string; server: string };
}

async function listen(): Promise<{ server: Server; target: string }> {
  const server = createServer({ allowHalfOpen: true });
  server.on('connection', (socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { server, target: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function dial(address: string): Socket {
  const { hostname, port } = new URL(`tcp://${address}`);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  return socket;
}

/** One connection through a link, from end to end. */
async function line(options: TcpPathOptions = {}): Promise<Line> {
  const { server: listener, target } = await listen();
  const link = await TcpLink.start(target, options);
  onTestFinished(() => link.stop());
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  const client = dial(link.address);
  const [server] = await accepted;
  onTestFinished(() => void server.destroy());
  const received = { client: '', server: '' };
  client.setEncoding('utf8').on('data', (text: string) => (received.client += text));
  server.setEncoding('utf8').on('data', (text: string) => (received.server += text));
  return { link, client, server, received };
}

const closed = (socket: Socket): Promise<unknown> =>
  waitUntil(() => socket.destroyed, { what: 'the connection to break' });

test('forwards both ways, the end of each direction on its own', async () => {
  const { link, client, server, received } = await line();
  client.end('question');
  await once(server, 'end');
  expect(received.server).toBe('question');
  server.end('answer');
  await once(client, 'end');
  expect(received.client).toBe('answer');
  await waitUntil(() => link.connectionCount === 0, { what: 'the link to forget the connection' });
});

test('silent: nothing passes, not even the end; after the heal all of it does, in order', async () => {
  const { link, client, server, received } = await line();
  client.write('1');
  await once(server, 'data');
  link.silence();
  client.end('2');
  server.write('a');
  // A connection of its own shows that the link had its turn: it is accepted, and gets nowhere.
  const late = dial(link.address);
  late.write('late');
  await waitUntil(() => link.connectionCount === 2, { what: 'the second connection to be accepted' });
  expect(received).toEqual({ client: '', server: '1' });
  link.heal();
  await once(server, 'end');
  await waitUntil(() => received.client === 'a', { what: 'the answer' });
  expect(received.server).toBe('12');
});

test('a connection made in silence reaches the server after the heal', async () => {
  const { server: listener, target } = await listen();
  const link = await TcpLink.start(target);
  onTestFinished(() => link.stop());
  link.silence();
  dial(link.address).write('hello');
  await waitUntil(() => link.connectionCount === 1, { what: 'the connection to be accepted' });
  const accepted = once(listener, 'connection') as Promise<[Socket]>;
  link.heal();
  const [server] = await accepted;
  onTestFinished(() => void server.destroy());
  const [data] = (await once(server, 'data')) as [Buffer];
  expect(data.toString()).toBe('hello');
});

test('cut: both ends see a reset, so does each new connection; after the heal new ones pass', async () => {
  const { link, client, server } = await line();
  const errors = [once(client, 'error'), once(server, 'error')];
  link.cut();
  for (const [error] of await Promise.all(errors)) expect(error).toMatchObject({ code: 'ECONNRESET' });
  await closed(dial(link.address));
  link.heal();
  const again = dial(link.address);
  again.write('x');
  await waitUntil(() => link.connectionCount === 1, { what: 'the new connection' });
});

test('swallowed answers are lost while requests pass; the heal breaks the torn connection', async () => {
  const { link, client, server, received } = await line();
  link.swallowAnswers();
  client.write('question');
  await once(server, 'data');
  server.write('answer');
  server.end();
  // The end comes after the answer.
  await once(client, 'end');
  expect(received).toEqual({ client: '', server: 'question' });
  link.heal();
  // A socket that has read the end notices a reset only when it writes.
  await waitUntil(() => (client.write('more'), client.destroyed), {
    what: 'the torn connection to break',
  });
});

test('a server that goes away and a server that was never there break the connection', async () => {
  const { client, server } = await line();
  server.resetAndDestroy();
  await closed(client);

  const gone = await TcpLink.start('127.0.0.1:1');
  onTestFinished(() => gone.stop());
  await closed(dial(gone.address));
});

test('delay: each chunk takes its time and keeps its place', async () => {
  const clock = new FakeClock();
  const { link, client, server, received } = await line({ clock });
  link.delay(300);
  client.write('1');
  await waitUntil(() => clock.pendingTimers === 1, { what: 'the first chunk to be held' });
  link.delay(10);
  const ended = once(server, 'end');
  client.end('2');
  await clock.advance(299);
  expect(received.server).toBe('');
  await clock.advance(1);
  await waitUntil(() => received.server !== '', { what: 'the first chunk' });
  // The second was faster, and waited for the first.
  await clock.advance(10);
  await ended;
  expect(received.server).toBe('12');
});

test('lossy: chunks stall for 200 to 1,000 ms, some connections break, and a seed repeats it', async () => {
  const fates = async (seed: number): Promise<(number | 'reset')[]> => {
    const clock = new FakeClock();
    const random = createRandom(seed);
    const result: (number | 'reset')[] = [];
    while (result.length < 30) {
      const { link, client, received } = await line({ clock, random });
      link.lossy(1);
      client.write('x');
      await waitUntil(() => client.destroyed || clock.pendingTimers === 1, { what: 'the fate of the chunk' });
      if (!client.destroyed) {
        const from = clock.now();
        await clock.step();
        result.push(clock.now() - from);
        await waitUntil(() => received.server === 'x', { what: 'the chunk' });
      } else result.push('reset');
      await link.stop();
    }
    return result;
  };
  const first = await fates(3);
  expect(first).toContain('reset');
  const stalls = first.filter((fate) => fate !== 'reset');
  expect(Math.min(...stalls)).toBeGreaterThanOrEqual(200);
  expect(Math.max(...stalls)).toBeLessThanOrEqual(1_000);
  expect(Math.max(...stalls) - Math.min(...stalls)).toBeGreaterThan(300);
  expect(await fates(3)).toEqual(first);
});

test('a receiver that does not read stops the sender; nothing is lost when it reads again', async () => {
  const { client, server, received } = await line();
  server.pause();
  // More than the kernel buffers of three sockets and what the link may hold.
  const size = 64 * 1024 * 1024;
  let flushed = false;
  client.write(Buffer.alloc(size, 'x'), () => (flushed = true));
  // Many times the turns in which a link without a bound would have taken everything.
  for (let turn = 0; turn < 5_000; turn += 1) await nextTurn();
  expect(flushed).toBe(false);
  server.resume();
  await waitUntil(() => received.server.length === size, { what: 'all bytes' });
});
