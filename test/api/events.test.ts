/** Live events over real sockets: what comes, how it is resumed, and that nobody can harm the others. */
import { connect, type Socket } from 'node:net';
import { createParser } from 'eventsource-parser';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventSchemas, type EventName } from '../../src/api/schemas/events.js';
import { waitUntil } from '../support/wait.js';
import { ApiUnderTest } from './support.js';

interface Received {
  readonly name: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** A listener that reads by hand, so that it can also stop to. */
class Listener {
  readonly events: Received[] = [];
  text = '';
  ended = false;
  readonly #socket: Socket;

  constructor(url: string, lastId?: string) {
    const { hostname, port } = new URL(url);
    const parser = createParser({
      onEvent: ({ event = '', id, data }) => {
        const parsed = JSON.parse(data) as Record<string, unknown>;
        expect(() => eventSchemas[event as EventName].parse(parsed)).not.toThrow();
        this.events.push({ name: event, id, data: parsed });
      },
    });
    this.#socket = connect({ host: hostname, port: Number(port) });
    const resume = lastId === undefined ? '' : `Last-Event-ID: ${lastId}\r\n`;
    this.#socket.write(`GET /api/v1/events HTTP/1.1\r\nHost: localhost:${port}\r\n${resume}\r\n`);
    let isBody = false;
    this.#socket.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk;
      // Chunks of the transfer encoding begin with lines that the parser takes for unknown fields.
      const end = this.text.indexOf('\r\n\r\n');
      if (!isBody && end >= 0) {
        isBody = true;
        parser.feed(this.text.slice(end + 4));
      } else if (isBody) parser.feed(chunk);
    });
    this.#socket.on('close', () => {
      this.ended = true;
    });
    this.#socket.on('error', () => undefined);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(): void {
    this.#socket.destroy();
  }

  named(name: string): Received[] {
    return this.events.filter((event) => event.name === name);
  }
}

let api: ApiUnderTest;
let url: string;
const listeners: Listener[] = [];

beforeEach(async () => {
  api = await ApiUnderTest.start({ settings: { maxStreams: 3 } });
  await api.cluster.putJob('fast', { schedule: '*/10 * * * * *' });
  await api.cluster.addNodes('w1', 'w2');
  url = await api.listen();
});

afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.close();
  await api.stop();
});

async function listen(lastId?: string): Promise<Listener> {
  const listener = new Listener(url, lastId);
  listeners.push(listener);
  await passUntil(() => listener.events.length > 0 || listener.ended, 'the first event');
  return listener;
}

/** Lets the cluster's time pass, a little at a time, until the sockets have brought what is awaited. */
async function passUntil(condition: () => boolean, what: string, stepMs = 0): Promise<void> {
  await waitUntil(
    async () => {
      await api.clock.advance(stepMs);
      return condition();
    },
    { what, timeoutMs: 30_000 },
  );
}

describe('events', () => {
  test('tell what becomes of a firing, of jobs, of workers and of the office', async () => {
    const listener = await listen();
    expect(listener.events[0]).toMatchObject({ name: 'ready' });
    await passUntil(() => listener.named('runs').length > 0, 'a run to end', 1_000);
    const states = listener
      .named('firings')
      .flatMap(({ data }) => data.changed as { run: string; state: string }[])
      .map(({ state }) => state);
    expect(states).toContain('planned');
    expect(states).toContain('claimed');
    expect(listener.named('runs')[0]?.data.ended).toMatchObject([{ job: 'fast', outcome: 'succeeded' }]);

    await api.cluster.putJob('more', { schedule: '@hourly' });
    await passUntil(() => listener.named('jobs').length > 0, 'the new job', 100);
    expect(listener.named('jobs')[0]?.data.changed).toMatchObject([{ name: 'more', state: 'ok' }]);

    const leader = api.cluster.leader()!;
    leader.crash();
    await passUntil(
      () =>
        listener
          .named('leader')
          .some(
            ({ data }) =>
              (data.leader as { name: string } | null)?.name !== leader.name && data.leader !== null,
          ),
      'another leader',
      1_000,
    );
    const someGone = (): boolean =>
      listener.named('workers').some(({ data }) => (data.removed as string[]).length > 0);
    await passUntil(someGone, 'the dead worker to be gone', 1_000);
  });

  test('tell what becomes different by the clock alone', async () => {
    const inMs = (ms: number): string => new Date(api.clock.now() + ms).toISOString();
    const { cluster } = api;
    await cluster.putJob('waits', { schedule: '@hourly', paused: { until: inMs(20_000) } });
    await cluster.putJob('ends', { schedule: '*/5 * * * * *', endAt: inMs(20_000), command: 'run 10' });
    await cluster.putJob('late', { schedule: '*/5 * * * * *', target: { with: { zone: 'nowhere' } } });
    await api.clock.advance(1_000);
    await api.get('/api/v1/jobs');
    const listener = await listen();
    const told = (event: string): string[] =>
      listener
        .named(event)
        .flatMap(({ data }) => data.changed as { name?: string; job?: string; state: string }[])
        .map(({ name, job, state }) => `${name ?? job} ${state}`);
    expect(told('jobs')).toEqual([]);
    await passUntil(() => told('firings').includes('late late'), 'a firing to be late', 1_000);
    await passUntil(() => told('jobs').includes('waits ok'), 'the end of the pause', 1_000);
    await passUntil(() => told('jobs').includes('ends done'), 'the end of the job', 1_000);
    // Once each, and nothing of others.
    await api.clock.advance(10_000);
    await passUntil(() => listener.text.includes(': \n'), 'a heartbeat', 1_000);
    expect(told('jobs').sort()).toEqual(['ends done', 'waits ok']);
  });

  test('say since when nothing comes because etcd is out of reach, and when that is over', async () => {
    const listener = await listen();
    api.store.partition(true);
    await passUntil(() => listener.named('stale').length === 1, 'the warning', 1_000);
    const { since } = listener.named('stale')[0]!.data as { since: string };
    expect(Date.parse(since)).toBeLessThanOrEqual(api.clock.now());
    const another = await listen();
    await passUntil(() => another.named('stale').length === 1, 'the same for whoever comes later');
    expect(another.named('stale')[0]!.data).toEqual({ since });
    api.store.partition(false);
    await passUntil(() => listener.named('stale').length === 2, 'the end of it', 1_000);
    expect(listener.named('stale')[1]!.data).toEqual({ since: null });
  });

  test('are not sent for the clocks that workers write', async () => {
    await api.cluster.deleteKey(api.cluster.keys.job('fast'));
    const listener = await listen();
    await api.clock.advance(30_000);
    await passUntil(() => listener.text.includes(': \n'), 'a heartbeat', 1_000);
    expect(listener.named('workers')).toEqual([]);
  });

  test('go on from the last id, on another node as well, and nothing is missed', async () => {
    const other = await ApiUnderTest.start({ cluster: api.cluster });
    const otherUrl = await other.listen();
    // Both follow before what is to be resumed happens.
    const first = await listen();
    const there = new Listener(otherUrl);
    listeners.push(there);
    await passUntil(() => there.events.length > 0, 'the other node to follow');
    await passUntil(() => first.named('runs').length > 0, 'a run to end', 1_000);
    const lastId = first.events.findLast(({ id }) => id !== undefined)!.id!;
    first.close();
    await passUntil(() => there.named('runs').length > 3, 'some more runs', 1_000);
    const ended = (events: Received[]): string[] =>
      events
        .filter(({ name }) => name === 'runs')
        .flatMap(({ data }) => data.ended as { run: string }[])
        .map(({ run }) => run);
    const known = ended(first.events);
    const all = ended(there.events);
    for (const base of [url, otherUrl]) {
      const back = new Listener(base, lastId);
      listeners.push(back);
      await passUntil(
        () => all.every((run) => [...known, ...ended(back.events)].includes(run)),
        'what was missed',
      );
      expect(back.named('reset')).toEqual([]);
    }
    await other.app.close();
  });

  test('begin anew where the id is unknown, too old, or from the future', async () => {
    for (const id of ['nonsense', '0-0-0', '999999999-1-1']) {
      const listener = await listen(id);
      expect(listener.events[0]).toMatchObject({ name: 'reset' });
      listener.close();
      await passUntil(() => listener.ended, 'it to be closed');
    }
  });

  test('there are only so many streams; one that ends makes room', async () => {
    const three = [await listen(), await listen(), await listen()];
    const refused = await api.get('/api/v1/events');
    expect([refused.status, refused.json<{ code: string }>().code]).toEqual([429, 'ETCRON_RATE_LIMITED']);
    three[0]!.close();
    await passUntil(() => three[0]!.ended, 'it to be closed');
    await waitUntil(
      async () => {
        const next = new Listener(url);
        listeners.push(next);
        await passUntil(() => next.text !== '', 'an answer');
        return next.text.startsWith('HTTP/1.1 200');
      },
      { what: 'room for another', timeoutMs: 30_000 },
    );
  });

  test('a listener that does not read is cut off, and the others hear on', async () => {
    const slow = await listen();
    const good = await listen();
    slow.pause();
    const description = 'x'.repeat(2_000);
    // Far more than the buffers of a socket and what is allowed to wait.
    for (let round = 0; round < 400 && !slow.ended; round += 1) {
      for (let index = 0; index < 40; index += 1)
        api.cluster.etcd.txn({
          compare: [],
          success: [
            {
              type: 'put',
              key: api.cluster.keys.firing({
                job: `j${index}-${'n'.repeat(100)}`,
                dueMs: round * 60_000,
                suffix: null,
              }),
              value: JSON.stringify({ origin: 'manual', fingerprint: description.slice(0, 10), attempt: 0 }),
            },
          ],
        });
      await api.clock.advance(200);
      if (round % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    slow.resume();
    await passUntil(() => slow.ended, 'it to be cut off');
    const before = good.events.length;
    await passUntil(() => good.events.length > before, 'another event', 1_000);
    expect(good.ended).toBe(false);
  });
});
