/** Output asked of any node: from its own disk, from another worker's, and where nobody has it. */
import { once } from 'node:events';
import { request } from 'node:http';
import { createParser } from 'eventsource-parser';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HOP_HEADER, HopVerifier, signHop } from '../../../src/api/output/hop-signature.js';
import { HopSecret } from '../../../src/api/output/hop-secret.js';
import { HOP_PATH, RemoteSource } from '../../../src/api/output/remote-source.js';
import { systemClock } from '../../../src/clock.js';
import { put } from '../../../src/etcd/txn.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { waitUntil } from '../../support/wait.js';
import { OutputCluster, outputUrl, RUN, type ApiWorker } from './support.js';

let cluster: OutputCluster;

beforeEach(() => void (cluster = new OutputCluster()));
afterEach(() => cluster.close());

interface Event {
  readonly event: string;
  readonly id: string | undefined;
  readonly data: Record<string, unknown>;
}

/** Listens until the stream ends. */
function follow(url: string, headers: Record<string, string> = {}) {
  const events: Event[] = [];
  const leave = new AbortController();
  const done = (async () => {
    const response = await fetch(url, { headers, signal: leave.signal });
    const parser = createParser({
      onEvent: ({ event = '', id, data }) =>
        events.push({ event, id, data: JSON.parse(data) as Record<string, unknown> }),
    });
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? [])
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    return response.status;
  })();
  const text = (): string =>
    events.map(({ data }) => (typeof data.text === 'string' ? data.text : '')).join('');
  return { events, done, text, leave: () => leave.abort() };
}

const problem = async (url: string): Promise<unknown> => {
  const response = await fetch(url);
  return { http: response.status, ...((await response.json()) as object) };
};

async function twoWorkers(): Promise<[ApiWorker, ApiWorker]> {
  return [await cluster.start('w-1'), await cluster.start('w-2')];
}

describe('the output of a run', () => {
  it('is the same whichever node is asked, byte for byte, by stream and from any offset', async () => {
    const [one, two] = await twoWorkers();
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7919) % 256));
    const file = cluster.output(one);
    file.write('stdout', bytes);
    file.write('stderr', Buffer.from('oh\n'));
    file.end();
    await file.closed;
    await cluster.ended(one);
    for (const asked of [one, two]) {
      const response = await fetch(outputUrl(asked, '?stream=stdout'));
      expect([response.headers.get('etcron-worker'), response.headers.get('etcron-attempt')]).toEqual([
        'w-1',
        '1',
      ]);
      expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
      const some = await fetch(outputUrl(asked, '?stream=stdout&offset=-100&limit=10'));
      expect(Buffer.from(await some.arrayBuffer())).toEqual(bytes.subarray(199_900, 199_910));
      expect(await (await fetch(outputUrl(asked, '?stream=stderr'))).text()).toBe('oh\n');
      const lines = (await (await fetch(outputUrl(asked, '?format=lines&offset=200000'))).text())
        .trim()
        .split('\n');
      expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
        { stream: 'stderr', time: expect.any(String) as string, offset: 200_000, text: 'oh\n' },
        { offset: 200_003, end: true, complete: true },
      ]);
    }
  });

  it('of earlier attempts is found on whichever worker it is, and all are listed', async () => {
    const [one, two] = await twoWorkers();
    for (const [worker, attempt] of [
      [one, 1],
      [two, 2],
    ] as const) {
      const file = cluster.output(worker, attempt);
      file.write('stdout', Buffer.from(`attempt ${attempt}\n`));
      file.end();
      await file.closed;
    }
    await cluster.ended(two, { attempts: 2 });
    const three = await cluster.start('w-3');
    for (const asked of [one, two, three]) {
      expect(await (await fetch(outputUrl(asked, '?attempt=1'))).text()).toBe('attempt 1\n');
      expect(await (await fetch(outputUrl(asked))).text()).toBe('attempt 2\n');
      const { attempts } = (await (await fetch(outputUrl(asked, '/attempts'))).json()) as {
        attempts: object[];
      };
      expect(attempts).toMatchObject([
        { attempt: 1, worker: 'w-1', stdoutBytes: 10 },
        { attempt: 2, worker: 'w-2', stdoutBytes: 10 },
      ]);
    }
    expect(await problem(outputUrl(one, '?attempt=3'))).toMatchObject({
      http: 404,
      code: 'ETCRON_OUTPUT_GONE',
    });
  });

  it('is served after a restart under the same name, up to where its worker was killed', async () => {
    const [one, two] = await twoWorkers();
    const file = cluster.output(one);
    await cluster.running(one);
    file.write('stdout', Buffer.from('so far'));
    await waitUntil(async () => (await (await fetch(outputUrl(one))).text()) === 'so far', { what: 'it' });
    await one.stop();
    const again = await cluster.start('w-1');
    for (const asked of [again, two]) {
      const lines = (await (await fetch(outputUrl(asked, '?format=lines'))).text()).trim().split('\n');
      expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
        { text: 'so far' },
        { end: true, complete: false },
      ]);
    }
    file.end();
    await file.closed;
  });

  it('of a worker that is gone is said to be so, with the tails that its record keeps', async () => {
    const [one, two] = await twoWorkers();
    const tail = { text: 'the end\n', truncated: true, totalBytes: 100_000 };
    await cluster.ended(one, { stdout: tail });
    await one.stop();
    expect(await problem(outputUrl(two))).toMatchObject({
      http: 404,
      code: 'ETCRON_OUTPUT_GONE',
      detail: `the worker w-1, which had the output of ${RUN}, is gone`,
      details: { tail: { stdout: tail, stderr: null } },
    });
    await cluster.start('w-1', { hasApi: false });
    expect(await problem(outputUrl(two))).toMatchObject({
      detail: expect.stringContaining('no API') as string,
    });
  });

  it('that was removed is said to be so; one that never was is empty', async () => {
    const [one, two] = await twoWorkers();
    await cluster.ended(one, { stdout: { text: 'x', truncated: false, totalBytes: 1 } });
    expect(await problem(outputUrl(two))).toMatchObject({
      code: 'ETCRON_OUTPUT_GONE',
      detail: expect.stringContaining('not have the output') as string,
    });
    await cluster.ended(one);
    const response = await fetch(outputUrl(two));
    expect([response.status, await response.text()]).toEqual([200, '']);
    const unknown = outputUrl(one, '', 'backup/2020-01-01T00:00:00.000Z');
    expect(await problem(unknown)).toMatchObject({ http: 404, code: 'ETCRON_RUN_NOT_FOUND' });
    await cluster.ended(one, { outcome: 'skipped', attempts: 0, worker: null, nodeId: null });
    expect(await problem(outputUrl(one))).toMatchObject({ code: 'ETCRON_OUTPUT_GONE' });
  });

  it('of a worker that does not answer is a clear error', async () => {
    const [one, two] = await twoWorkers();
    await cluster.ended(one, { stdout: { text: 'x', truncated: false, totalBytes: 1 } });
    const { keys, store } = cluster;
    const [record] = (
      await store.range({ start: keys.worker(one.nodeId), end: `${keys.worker(one.nodeId)}0` })
    ).kvs;
    await one.stop();
    const { leaseId } = await store.leaseGrant(600_000);
    const value = record!.value;
    await store.txn({ compare: [], success: [{ type: 'put', key: record!.key, value, leaseId }] });
    expect(await problem(outputUrl(two))).toMatchObject({ http: 502, code: 'ETCRON_WORKER_UNREACHABLE' });
  });
});

describe('an output that is followed', () => {
  it('comes live through another node, and ends with the attempt', async () => {
    const [one, two] = await twoWorkers();
    await cluster.running(one);
    const followed = follow(outputUrl(two, '/follow'));
    await waitUntil(() => followed.events.length === 1, { what: 'the first event' });
    expect(followed.events[0]).toMatchObject({
      event: 'attempt',
      data: { attempt: 1, worker: 'w-1', running: true },
    });
    const file = cluster.output(one);
    for (const text of ['one\n', 'two\n', 'three\n']) {
      file.write('stdout', Buffer.from(text));
      await waitUntil(() => followed.text().endsWith(text), { what: text });
    }
    file.write('stderr', Buffer.from([0xff, 0x00]));
    file.end();
    expect(await followed.done).toBe(200);
    expect(followed.text()).toBe('one\ntwo\nthree\n');
    expect(followed.events.slice(-2)).toMatchObject([
      { event: 'output', id: '1:16', data: { stream: 'stderr', offset: 14, base64: '/wA=' } },
      { event: 'end', id: '1:16:end', data: { complete: true } },
    ]);
  });

  it('goes on where it was broken off, and has nothing more after its end', async () => {
    const [one, two] = await twoWorkers();
    await cluster.running(one);
    const file = cluster.output(one);
    file.write('stdout', Buffer.from('one\ntwo\n'));
    file.end();
    await file.closed;
    const resumed = follow(outputUrl(two, '/follow'), { 'last-event-id': '1:4' });
    await resumed.done;
    expect(resumed.text()).toBe('two\n');
    expect(await follow(outputUrl(two, '/follow'), { 'last-event-id': '1:8:end' }).done).toBe(204);
  });

  it('ends when its worker dies, by what etcd says', async () => {
    const [one] = await twoWorkers();
    await cluster.running(one);
    const file = cluster.output(one);
    file.write('stdout', Buffer.from('begun'));
    const followed = follow(outputUrl(one, '/follow'));
    await waitUntil(() => followed.text() === 'begun', { what: 'the output' });
    await cluster.running({ nodeId: 'w-9-abcdef' }, 2);
    await followed.done;
    expect(followed.events.at(-1)).toMatchObject({ event: 'end', data: { complete: false } });
    file.end();
    await file.closed;
  });

  it('closes everything when the one who listens is gone', async () => {
    const [one, two] = await twoWorkers();
    await cluster.running(one);
    const followed = follow(outputUrl(two, '/follow'));
    await waitUntil(() => one.streams() === 1 && two.streams() === 1, { what: 'the stream and its hop' });
    followed.leave();
    await expect(followed.done).rejects.toThrow('abort');
    await waitUntil(() => one.streams() === 0 && two.streams() === 0, { what: 'both to let go' });
  });

  it('waits for a reader that is slow, at no cost', async () => {
    const [one, two] = await twoWorkers();
    const file = cluster.output(one);
    const block = Buffer.alloc(100_000, 'x');
    for (let count = 0; count < 200; count += 1) {
      file.write('stdout', block);
      while (file.isFull) await file.room();
    }
    file.end();
    await file.closed;
    await cluster.ended(one);
    const asked = request(outputUrl(two));
    asked.end();
    const [response] = (await once(asked, 'response')) as [NodeJS.ReadableStream];
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (bytes === 0) await new Promise((resolve) => setTimeout(resolve, 200));
      bytes += chunk.length;
    }
    expect(bytes).toBe(20_000_000);
  });
});

describe('the hop between nodes', () => {
  const target = `${HOP_PATH}/${RUN.replaceAll(':', '%3A')}/attempts`;

  async function ask(worker: ApiWorker, header: string | null): Promise<number> {
    const response = await fetch(worker.url + target, {
      headers: header === null ? {} : { [HOP_HEADER]: header },
    });
    await response.text();
    return response.status;
  }

  it('lets nobody in who does not know the secret of the cluster', async () => {
    const [one] = await twoWorkers();
    const secret = await one.access.hop.secret.get();
    const now = Date.now();
    const good = signHop(secret, { target, worker: 'w-1' }, now);
    expect(await ask(one, null)).toBe(401);
    expect(await ask(one, 'v1 nonsense')).toBe(401);
    expect(await ask(one, signHop(Buffer.alloc(32), { target, worker: 'w-1' }, now))).toBe(401);
    expect(await ask(one, signHop(secret, { target, worker: 'w-2' }, now))).toBe(401);
    expect(await ask(one, signHop(secret, { target: `${target}?x`, worker: 'w-1' }, now))).toBe(401);
    expect(await ask(one, signHop(secret, { target, worker: 'w-1' }, now - 60_000))).toBe(401);
    expect(await ask(one, good)).toBe(200);
    expect(await ask(one, good)).toBe(401);
  });

  it('has one secret for all, made once', async () => {
    const [one, two] = await twoWorkers();
    const [first, second] = await Promise.all([one.access.hop.secret.get(), two.access.hop.secret.get()]);
    expect(first.equals(second)).toBe(true);
    expect(first.length).toBe(32);
  });

  it('goes on when somebody makes another secret, be it that the one who asks knows the old one', async () => {
    const [one, two] = await twoWorkers();
    const clock = new FakeClock(0);
    const secret = new HopSecret(one.access.cluster, clock);
    await secret.get();
    await cluster.store.txn({
      compare: [],
      success: [put(cluster.keys.secret, Buffer.alloc(32, 7).toString('base64'))],
    });
    await clock.advance(60_000);
    const source = new RemoteSource('w-2', two.url, { secret, clock: systemClock });
    expect(await source.list(RUN, new AbortController().signal)).toEqual([]);
  });

  it('says that the clocks differ, where they do', async () => {
    const [one, two] = await twoWorkers();
    const late = { secret: one.access.hop.secret, clock: new FakeClock(0) };
    const source = new RemoteSource('w-2', two.url, late);
    const asked = source.list(RUN, new AbortController().signal);
    await expect(asked).rejects.toMatchObject({ code: 'ETCRON_WORKER_UNREACHABLE' });
    await expect(asked).rejects.toThrow('it was signed too long ago, or the clocks differ');
  });

  it('remembers what it has let through only for as long as it would count', () => {
    const clock = new FakeClock(1_000_000);
    const verifier = new HopVerifier(clock);
    const secret = Buffer.alloc(32, 1);
    const asked = { target: '/x', worker: 'w' };
    const header = signHop(secret, asked, clock.now());
    expect(verifier.refusal(secret, asked, header)).toBeNull();
    expect(verifier.refusal(secret, asked, header)).toBe('it was sent before');
    expect(verifier.refusal(secret, asked, signHop(secret, asked, clock.now() + 31_000))).toContain('clocks');
  });
});
