import { describe, expect, it } from 'vitest';
import type { Store } from '../../src/etcd/store.js';
import { prefixRange, singleKey, type Txn } from '../../src/etcd/store.js';
import { StoreError } from '../../src/etcd/store-error.js';
import { revisionOf } from '../../src/etcd/watch-responses.js';
import { sleep } from '../../src/clock.js';
import { createRandom } from '../../src/random.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { unreachable } from '../../src/testing/refusals.js';
import { RecordedWatch, rejection, storeConformance } from '../etcd/conformance.js';

storeConformance('in memory', async () => {
  const clock = new FakeClock();
  const server = new MemoryEtcd(clock);
  const store = server.connect();
  return {
    store,
    compact: async (revision) => server.compact(revision),
    waitForLeaseExpiry: (ttlMs) => clock.advance(ttlMs + 500),
    close: () => store.close(),
  };
});

function setup() {
  const clock = new FakeClock();
  const server = new MemoryEtcd(clock);
  return { clock, server, store: server.connect({ name: 'a' }) };
}

const put = (key: string, value = '', leaseId?: string): Txn => ({
  compare: [],
  success: [leaseId === undefined ? { type: 'put', key, value } : { type: 'put', key, value, leaseId }],
});
const del = (key: string): Txn => ({ compare: [], success: [{ type: 'delete', key }] });
const everything = { start: '\0', end: '\0' };

/** Follows a promise without awaiting it. */
function track<T>(promise: Promise<T>) {
  const tracked: { state: 'pending' | 'resolved' | 'rejected'; value?: T; error?: StoreError } = {
    state: 'pending',
  };
  promise.then(
    (value) => Object.assign(tracked, { state: 'resolved', value }),
    (error: unknown) => Object.assign(tracked, { state: 'rejected', error }),
  );
  return tracked;
}

describe('MemoryEtcd', () => {
  it('starts at revision 1 and deletes the keys of an expired lease in key order at one revision', async () => {
    const { clock, server, store } = setup();
    expect(server.revision).toBe(1);
    const { leaseId, ttlMs } = await store.leaseGrant(1);
    expect(ttlMs).toBe(2000);
    for (const key of ['b', 'c', 'a']) await store.txn(put(key, '', leaseId));
    expect(server.revision).toBe(4);
    await clock.advance(2499);
    expect(server.revision).toBe(5);
    const last = server.changes.at(-1)!;
    expect(last).toMatchObject({ revision: 5, client: 'etcd' });
    expect(last.events).toEqual(['a', 'b', 'c'].map((key) => ({ type: 'delete', key, modRevision: 5 })));
  });

  it('looks for expired leases every 500 ms, and lets nobody renew one in between', async () => {
    const { clock, server, store } = setup();
    await clock.advance(200);
    const { leaseId } = await store.leaseGrant(2000);
    await store.txn(put('k', '', leaseId));
    await clock.advance(2000);
    expect(server.get('k')).not.toBeNull();
    const renewal = track(store.leaseKeepAlive(leaseId));
    await clock.advance(299);
    expect([renewal.state, server.get('k') === null]).toEqual(['pending', false]);
    await clock.advance(1);
    expect([renewal.value, server.get('k') === null]).toEqual([{ ttlMs: 0 }, true]);
    expect(server.leaseIds()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('keeps a lease that is renewed, and gives all leases their full time when etcd elects a leader', async () => {
    const { clock, server, store } = setup();
    const kept = await store.leaseGrant(3000);
    const helped = await store.leaseGrant(3000);
    for (let i = 0; i < 5; i++) {
      await clock.advance(2000);
      expect(await store.leaseKeepAlive(kept.leaseId)).toEqual({ ttlMs: 3000 });
      if (i === 0) server.renewAllLeases();
      expect(server.leaseIds()).toContain(kept.leaseId);
      expect(server.leaseIds().includes(helped.leaseId)).toBe(i < 2);
    }
  });

  it('does not delete with a lease the keys that were deleted and put again without it', async () => {
    const { server, store } = setup();
    const { leaseId } = await store.leaseGrant(5000);
    await store.txn(put('k', '', leaseId));
    await store.txn(del('k'));
    await store.txn(put('k', 'new'));
    await store.leaseRevoke(leaseId);
    expect(server.get('k')?.value.toString()).toBe('new');
    expect(server.changes.map((change) => change.revision)).toEqual([2, 3, 4]);
  });

  it('refuses requests that are too large or name no key', async () => {
    const { server, store } = setup();
    const refusal = { code: 'ETCRON_ETCD_REFUSED', maybeApplied: false, transient: false };
    expect(await rejection(store.txn(put('k', 'x'.repeat(1.5 * 1024 * 1024))))).toMatchObject(refusal);
    await store.txn(put('k', 'x'.repeat(1.5 * 1024 * 1024 - 1024)));
    expect(await rejection(store.txn(put('')))).toMatchObject(refusal);
    expect(await rejection(store.range({ start: '', end: 'b' }))).toMatchObject(refusal);
    expect(() => server.compact(1000)).toThrow(StoreError);
    expect(server.revision).toBe(2);
  });

  it('keeps values from being changed through the buffers of a caller', async () => {
    const { server, store } = setup();
    const value = Buffer.from('before');
    await store.txn({ compare: [], success: [{ type: 'put', key: 'k', value }] });
    value.write('after!');
    expect(server.get('k')?.value.toString()).toBe('before');
  });

  it('keeps the past readable above the compact revision, deletions included', async () => {
    const { server, store } = setup();
    await store.txn(put('a', '2'));
    await store.txn(put('b', '3'));
    await store.txn(del('a'));
    await store.txn(put('a', '5'));
    await store.txn(del('b'));
    server.compact(4);
    const at = async (revision: number) =>
      (await store.range(everything, { revision })).kvs.map((kv) => `${kv.key}${kv.value.toString()}`);
    expect([await at(4), await at(5), await at(6)]).toEqual([['b3'], ['a5', 'b3'], ['a5']]);
    server.compact(6);
    expect(await at(6)).toEqual(['a5']);
    expect((await rejection(store.range(everything, { revision: 5 }))).details).toMatchObject({
      compacted: true,
    });
    await store.txn(put('b', '7'));
    expect(server.get('b')).toMatchObject({ createRevision: 7, version: 1 });
  });

  it('remembers who did what and when', async () => {
    const { clock, server, store } = setup();
    const other = server.connect({ name: 'b' });
    const { leaseId } = await store.leaseGrant(2000);
    await clock.advance(100);
    const txn = put('k', '', leaseId);
    const result = await other.txn(txn);
    await clock.advance(1900);
    const start = clock.now() - 2000;
    expect(server.history).toEqual([
      { revision: 1, atMs: start, client: 'a', action: { type: 'lease-grant', leaseId, ttlMs: 2000 } },
      { revision: 2, atMs: start + 100, client: 'b', action: { type: 'txn', txn, result } },
      {
        revision: 3,
        atMs: start + 2000,
        client: 'etcd',
        action: { type: 'lease-expire', leaseId, deleted: ['k'] },
      },
    ]);
  });
});

describe('a call of MemoryStore', () => {
  it('never does anything within the turn of its caller', async () => {
    const { server, store } = setup();
    const recorded = new RecordedWatch(store, everything, 1);
    const call = track(store.txn(put('k')));
    expect([server.revision, call.state]).toEqual([1, 'pending']);
    await recorded.until(({ events }) => events.length === 1);
    server.txn(put('k'));
    expect(recorded.events).toHaveLength(1);
    await recorded.until(({ events }) => events.length === 2);
  });

  it('can lose its request: not applied, and the caller cannot know', async () => {
    const { server, store } = setup();
    store.intercept = ({ phase, method }) => {
      if (method === 'txn' && phase === 'request') throw unreachable('connection reset', true);
    };
    expect(await rejection(store.txn(put('k')))).toMatchObject({
      code: 'ETCRON_ETCD_UNREACHABLE',
      maybeApplied: true,
      transient: true,
    });
    expect(server.revision).toBe(1);
    expect((await store.range(singleKey('k'))).count).toBe(0);
  });

  it('can lose its reply: applied, and the caller cannot know', async () => {
    const { server, store } = setup();
    store.intercept = ({ phase }) => {
      if (phase === 'reply') throw unreachable('connection reset', true);
    };
    expect(await rejection(store.txn(put('k')))).toMatchObject({ maybeApplied: true });
    expect(server.get('k')).not.toBeNull();
  });

  it('can be slow on either way, and be applied after its deadline', async () => {
    const { clock, server, store } = setup();
    store.intercept = () => sleep(clock, 40);
    const quick = track(store.txn(put('quick')));
    const slow = track(store.txn(put('slow'), { deadlineMs: 30 }));
    await clock.advance(30);
    expect(slow.error).toMatchObject({ code: 'ETCRON_ETCD_TIMEOUT', maybeApplied: true, transient: true });
    expect([quick.state, server.revision]).toEqual(['pending', 1]);
    await clock.advance(10);
    expect([quick.state, server.revision]).toEqual(['pending', 3]);
    await clock.advance(40);
    expect(quick.state).toBe('resolved');
    expect(clock.pendingTimers).toBe(0);
  });

  it("measures its deadline on the client's own clock", async () => {
    const { clock, server } = setup();
    const store = server.connect({ clock: clock.skewed({ rate: 2 }), deadlineMs: 1000 });
    store.partition(true);
    const call = track(store.range(everything));
    await clock.advance(499);
    expect(call.state).toBe('pending');
    await clock.advance(2);
    expect(call.error).toMatchObject({ code: 'ETCRON_ETCD_TIMEOUT' });
  });

  it('tells the interceptor whose call it is, and what it asks', async () => {
    const { store } = setup();
    const calls: unknown[] = [];
    store.intercept = (call) => void calls.push(call);
    await store.leaseGrant(4000, { deadlineMs: 1 });
    expect(calls).toEqual([
      { client: 'a', method: 'leaseGrant', args: [4000], phase: 'request' },
      { client: 'a', method: 'leaseGrant', args: [4000], phase: 'reply' },
    ]);
  });

  it('fails once the store is closed, also when it is under way', async () => {
    const { clock, server, store } = setup();
    store.intercept = () => sleep(clock, 10);
    const under = track(store.txn(put('k')));
    await store.close();
    await store.close();
    await clock.settle();
    expect(under.error).toMatchObject({ code: 'ETCRON_ETCD_UNREACHABLE', maybeApplied: true });
    const late = await rejection(store.txn(put('k')));
    expect(late).toMatchObject({ code: 'ETCRON_ETCD_UNREACHABLE', maybeApplied: false });
    const recorded = new RecordedWatch(store, everything, 1);
    server.txn(put('x'));
    await clock.advance(100);
    expect([recorded.events, recorded.connections]).toEqual([[], []]);
  });

  it('of a crashed client is never answered, and its lease runs out', async () => {
    const { clock, server, store } = setup();
    const { leaseId } = await store.leaseGrant(2000);
    await store.txn(put('k', '', leaseId));
    const recorded = new RecordedWatch(store, everything, 1);
    await recorded.until(({ events }) => events.length === 1);
    const before = track(store.leaseKeepAlive(leaseId));
    store.crash();
    const after = track(store.range(everything));
    await clock.advance(60_000);
    expect([before.state, after.state]).toEqual(['pending', 'pending']);
    expect(server.get('k')).toBeNull();
    expect(recorded.events).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a partition', () => {
  it('lets calls end by their deadline, unapplied, and later calls through again', async () => {
    const { clock, server, store } = setup();
    store.partition(true);
    const call = track(store.txn(put('k'), { deadlineMs: 1000 }));
    await clock.advance(999);
    expect(call.state).toBe('pending');
    await clock.advance(1);
    expect(call.error).toMatchObject({ code: 'ETCRON_ETCD_TIMEOUT', maybeApplied: true });
    expect(server.revision).toBe(1);
    store.partition(false);
    await store.txn(put('k'));
    expect(server.revision).toBe(2);
  });

  it('that comes between request and reply leaves the call applied, even when it is short', async () => {
    const { clock, server, store } = setup();
    store.intercept = ({ phase }) => (phase === 'reply' ? sleep(clock, 10) : undefined);
    const call = track(store.txn(put('k')));
    await clock.advance(5);
    store.partition(true);
    store.partition(false);
    await clock.advance(4994);
    expect([call.state, server.revision]).toEqual(['pending', 2]);
    await clock.advance(1);
    expect(call.error).toMatchObject({ code: 'ETCRON_ETCD_TIMEOUT', maybeApplied: true });
  });

  it('silences watches, which go on from where they were, once, when it heals', async () => {
    const { clock, server, store } = setup();
    const recorded = new RecordedWatch(store, prefixRange('k'), 1);
    server.txn(put('k1'));
    await recorded.until(({ events }) => events.length === 1);
    server.txn(put('k2'));
    store.partition(true);
    store.partition(true);
    server.txn(put('k3'));
    await clock.advance(10_000);
    expect(recorded.log).toEqual(['put k1=@2']);
    expect(recorded.connections).toEqual([true, false]);
    store.partition(false);
    server.txn(put('k4'));
    await clock.settle();
    server.txn(del('k1'));
    await clock.settle();
    expect(recorded.log).toEqual(['put k1=@2', 'put k2=@3', 'put k3=@4', 'put k4=@5', 'del k1@6']);
    expect(recorded.connections).toEqual([true, false, true]);
  });

  it('is noticed by watches only after a while, or not at all', async () => {
    const { clock, server } = setup();
    const store = server.connect({ noticeMs: 3000 });
    const recorded = new RecordedWatch(store, everything, 1);
    await clock.settle();
    store.partition(true);
    server.txn(put('k'));
    await clock.advance(2999);
    store.partition(false);
    await clock.advance(10_000);
    expect([recorded.connections, recorded.log]).toEqual([[true], ['put k=@2']]);
    store.partition(true);
    await clock.advance(3000);
    expect(recorded.connections).toEqual([true, false]);
  });

  it('tells a watch that begins in it, and connects that watch when it heals', async () => {
    const { clock, server, store } = setup();
    server.txn(put('k'));
    store.partition(true);
    const recorded = new RecordedWatch(store, everything, 1);
    await clock.settle();
    expect(recorded.connections).toEqual([false]);
    store.partition(false);
    await recorded.until(({ events }) => events.length === 1);
    expect(recorded.connections).toEqual([false, true]);
  });

  it('ends watches whose resume point is compacted meanwhile, and no others', async () => {
    const { clock, server, store } = setup();
    const other = server.connect();
    server.txn(put('k'));
    const cut = new RecordedWatch(store, everything, 1);
    const whole = new RecordedWatch(other, everything, 1);
    await Promise.all([cut, whole].map((watch) => watch.until(({ events }) => events.length === 1)));
    store.partition(true);
    for (let i = 0; i < 3; i++) server.txn(put('k'));
    server.compact();
    await clock.settle();
    store.partition(false);
    await cut.until(({ lost }) => lost !== undefined);
    expect(cut.lost).toMatchObject({ code: 'ETCRON_ETCD_REFUSED', details: { compactRevision: 5 } });
    expect(cut.events).toHaveLength(1);
    expect(whole.events).toHaveLength(4);
    server.txn(put('k'));
    await whole.until(({ events }) => events.length === 5);
    expect([whole.lost, cut.events.length]).toEqual([undefined, 1]);
  });

  it('cuts off one client, not the others', async () => {
    const { server, store } = setup();
    store.partition(true);
    await server.connect().txn(put('k'));
    expect(server.revision).toBe(2);
    await store.close();
  });
});

describe('watch events', () => {
  it('arrive late but in order when they are delayed, with whole revisions in each call', async () => {
    const { clock, server } = setup();
    const delays = [30, 0, 20, 5, 0];
    const store = server.connect({ watchDelayMs: () => delays.shift() ?? 10 });
    const recorded = new RecordedWatch(store, everything, 1);
    for (let i = 0; i < 50; i++) {
      server.txn({ compare: [], success: [...put(`a${i}`).success, ...put(`b${i}`).success] });
      await clock.advance(3);
    }
    await clock.advance(100);
    const revisions = recorded.events.map((event) => (event.type === 'put' ? event.kv.modRevision : 0));
    expect(revisions).toEqual(Array.from({ length: 100 }, (_, index) => 2 + Math.floor(index / 2)));
    expect(recorded.batches.length).toBeGreaterThan(5);
    expect(recorded.batches.every((batch) => batch.length % 2 === 0)).toBe(true);
  });

  it.each(['repeated', 'in pieces'] as const)(
    'that come %s over the wire are heard once and whole, also after a cut',
    async (wire) => {
      const { clock, server, store } = setup();
      const client = server.connect({ name: 'b', wire: () => wire });
      const watch = new RecordedWatch(client, everything, 1);
      for (const round of [1, 2, 3]) {
        for (const key of ['x', 'y', 'x']) await store.txn(put(`${key}${round}`));
        await store.txn({
          compare: [],
          success: ['p', 'q', 'r'].map((key) => ({ type: 'put', key, value: String(round) })),
        });
        await clock.advance(1);
        client.partition(round === 1);
      }
      const whole = server.changes.flatMap(({ revision, events }) => events.map(() => revision));
      expect(watch.events.map(revisionOf)).toEqual(whole);
      for (const batch of watch.batches) {
        const first = whole.indexOf(revisionOf(batch[0]!));
        const end = whole.lastIndexOf(revisionOf(batch.at(-1)!)) + 1;
        expect(batch).toHaveLength(end - first);
      }
    },
  );

  it('come in several calls when there is a long past to catch up with', async () => {
    const { clock, server, store } = setup();
    for (let i = 0; i < 2500; i++) server.txn(put(`k${i % 7}`));
    const recorded = new RecordedWatch(store, everything, 2);
    await clock.settle();
    expect(recorded.batches.map((batch) => batch.length)).toEqual([1000, 1000, 500]);
  });

  it('are lost to a watch that compaction overtakes while it catches up', async () => {
    const { clock, server } = setup();
    const store = server.connect({ watchDelayMs: () => 10 });
    for (let i = 0; i < 2500; i++) server.txn(put('k'));
    const recorded = new RecordedWatch(store, everything, 2);
    await clock.advance(10);
    expect(recorded.events).toHaveLength(1000);
    server.compact();
    await clock.advance(100);
    expect(recorded.lost).toMatchObject({ details: { compactRevision: 2501 } });
    expect(recorded.events).toHaveLength(1000);
  });
});

describe('determinism', () => {
  /** Some clients under random latency, faults and partitions; everything that happened, as text. */
  async function run(seed: number): Promise<string> {
    const clock = new FakeClock();
    const server = new MemoryEtcd(clock);
    const seen: string[] = [];
    const client = async (name: string): Promise<void> => {
      const random = createRandom(seed).fork(name);
      const store = server.connect({
        name,
        clock: clock.skewed({ rate: 1 + (random.next() - 0.5) / 100 }),
        watchDelayMs: () => random.int(20),
        intercept: async () => {
          await sleep(clock, random.int(30));
          if (random.chance(0.05)) throw unreachable('chaos', true);
        },
      });
      store.watch(everything, 1, {
        onEvents: (events) => seen.push(`${clock.monotonicMs()} ${name} events ${JSON.stringify(events)}`),
        onLost: (error) => seen.push(`${clock.monotonicMs()} ${name} lost ${error.message}`),
        onConnection: (connected) => seen.push(`${clock.monotonicMs()} ${name} ${connected}`),
      });
      for (let i = 0; i < 40; i++) {
        if (random.chance(0.1)) store.partition(random.chance(0.5));
        const answer = await work(store, random.int(4), `k${random.int(5)}`).catch(
          (error: StoreError) => error.code,
        );
        seen.push(`${clock.monotonicMs()} ${name} ${JSON.stringify(answer)}`);
      }
    };
    for (const name of ['a', 'b', 'c']) void client(name);
    await clock.advance(120_000);
    return [...seen, JSON.stringify(server.history), JSON.stringify(server.changes)].join('\n');
  }

  async function work(store: Store, kind: number, key: string): Promise<unknown> {
    const options = { deadlineMs: 500 };
    if (kind === 0) return store.range(everything, options);
    if (kind === 1) return store.txn(del(key), options);
    if (kind === 2) return store.txn(put(key, 'x'), options);
    const { leaseId } = await store.leaseGrant(2000, options);
    return store.txn(put(key, 'leased', leaseId), options);
  }

  it('the same seed gives the same history, events and answers; another seed others', async () => {
    const [first, second, other] = [await run(1), await run(1), await run(2)];
    expect(second === first, 'the same seed repeats itself').toBe(true);
    expect(other === first, 'another seed differs').toBe(false);
    for (const sign of ['ETCRON_ETCD_TIMEOUT', 'ETCRON_ETCD_UNREACHABLE', 'lease-expire', ' c false']) {
      expect(first.includes(sign), sign).toBe(true);
    }
  });
});
