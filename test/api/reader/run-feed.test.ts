/** The feed of run records on an etcd in memory: listed, watched, bounded, and read anew where the watch cannot go on. */
import { describe, expect, test } from 'vitest';
import { RunFeed, type RunChanges } from '../../../src/api/reader/run-feed.js';
import { Keys, formatRunId, type FiringId } from '../../../src/etcd/keys.js';
import { del, put } from '../../../src/etcd/txn.js';
import { emptyRecord, encodeRun } from '../../../src/history/run-record.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';
import { whileTimePasses } from '../support.js';

const keys = new Keys('/cron');

class Feeding {
  readonly clock = new FakeClock();
  readonly etcd = new MemoryEtcd(this.clock);
  readonly changes: RunChanges[] = [];

  put(job: string, second: number, outcome: 'succeeded' | 'failed' = 'succeeded'): void {
    const id: FiringId = { job, dueMs: second * 1_000, suffix: null };
    const value = encodeRun(emptyRecord(outcome, null, id.dueMs));
    this.etcd.txn({ compare: [], success: [put(keys.run(id), value)] });
  }

  delete(job: string, second: number): void {
    this.etcd.txn({ compare: [], success: [del(keys.run({ job, dueMs: second * 1_000, suffix: null }))] });
  }

  /** The rest, beyond the newest, is not read before `goOn`. */
  async startInParts(max: number, first: number) {
    const store = this.etcd.connect();
    const feed = new RunFeed({ store, keys, clock: this.clock, log: silentLogger() }, max, first);
    feed.onChange((changes) => this.changes.push(changes));
    let goOn!: () => void;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    store.intercept = ({ method }) => (method === 'range' && feed.shelf.size > 0 ? gate : undefined);
    await whileTimePasses(this.clock, feed.start());
    return { feed, goOn, store };
  }

  async start(max?: number): Promise<RunFeed> {
    const store = this.etcd.connect();
    const feed = new RunFeed({ store, keys, clock: this.clock, log: silentLogger() }, max);
    feed.onChange((changes) => this.changes.push(changes));
    await whileTimePasses(this.clock, feed.start());
    return feed;
  }
}

const shown = (feed: RunFeed): string[] =>
  [...feed.shelf.newest()].map(({ id, outcome }) => `${formatRunId(id)} ${outcome}`);

describe('the feed of runs', () => {
  test('holds what is there, and follows', async () => {
    const world = new Feeding();
    world.put('a', 10);
    world.put('b', 20, 'failed');
    const feed = await world.start();
    world.put('a', 30);
    world.delete('b', 20);
    await world.clock.advance(10);
    expect(shown(feed)).toEqual([
      'a/1970-01-01T00:00:30.000Z succeeded',
      'a/1970-01-01T00:00:10.000Z succeeded',
    ]);
    expect(world.changes.flatMap(({ ended }) => ended.map(({ id }) => id.dueMs))).toEqual([30_000]);
    expect(world.changes.reduce((sum, { removed }) => sum + removed, 0)).toBe(1);
    expect(feed.revision).toBe(world.etcd.revision);
    await feed.stop();
  });

  test('a damaged record is one without an outcome that says so', async () => {
    const world = new Feeding();
    world.etcd.txn({ compare: [], success: [put(`${keys.runs}a/1970-01-01T00:00:10.000Z`, 'nonsense')] });
    const feed = await world.start();
    const [item] = [...feed.shelf.newest()];
    expect(item).toMatchObject({ outcome: null, reason: 'the record is damaged: not JSON' });
    await feed.stop();
  });

  test('of more than fit only the newest are read, and it knows since when it knows all', async () => {
    const world = new Feeding();
    for (let second = 0; second < 60; second += 1) world.put(second % 2 === 0 ? 'a' : 'b', second);
    const feed = await world.start(20);
    expect(shown(feed).length).toBe(20);
    expect(shown(feed).at(-1)).toContain(':40.000Z');
    expect([feed.knowsSince(39_000), feed.knowsSince(40_000)]).toEqual([false, true]);
    await feed.stop();
  });

  test('of very many the newest come first, and the rest without anybody waiting; nothing is lost meanwhile', async () => {
    const world = new Feeding();
    for (let second = 0; second < 60; second += 1) world.put(second % 2 === 0 ? 'a' : 'b', second);
    const { feed, goOn } = await world.startInParts(50, 10);
    expect(shown(feed).length).toBe(10);
    expect([feed.knowsSince(49_000), feed.knowsSince(50_000)]).toEqual([false, true]);
    // While the rest is on its way, and before any of it is read.
    world.put('c', 70);
    world.delete('a', 30);
    world.put('a', 20, 'failed');
    await world.clock.advance(1_000);
    expect(shown(feed)[0]).toBe('c/1970-01-01T00:01:10.000Z succeeded');
    goOn();
    await world.clock.advance(1_000);
    expect(world.changes.filter(({ relisted }) => relisted)).toHaveLength(1);
    const now = shown(feed);
    expect([now[0], now.at(-1)]).toEqual([
      'c/1970-01-01T00:01:10.000Z succeeded',
      'a/1970-01-01T00:00:10.000Z succeeded',
    ]);
    expect(now).toContain('a/1970-01-01T00:00:20.000Z failed');
    expect(now.filter((line) => line.includes('00:00:30'))).toEqual([]);
    expect([feed.knowsSince(9_000), feed.knowsSince(10_000)]).toEqual([false, true]);
    await feed.stop();
  });

  test('while etcd is out of reach the rest waits, and so does nobody else', async () => {
    const world = new Feeding();
    for (let second = 0; second < 30; second += 1) world.put('a', second);
    const { feed, goOn, store } = await world.startInParts(100, 10);
    store.partition(true);
    goOn();
    await world.clock.advance(20_000);
    expect(shown(feed).length).toBe(10);
    store.partition(false);
    await world.clock.advance(20_000);
    expect(shown(feed).length).toBe(30);
    await feed.stop();
    expect(world.clock.pendingTimers).toBe(0);
  });

  test('where the watch cannot go on it is read anew, and those who listen are told', async () => {
    const world = new Feeding();
    world.put('a', 10);
    const store = world.etcd.connect();
    const feed = new RunFeed({ store, keys, clock: world.clock, log: silentLogger() });
    feed.onChange((changes) => world.changes.push(changes));
    await whileTimePasses(world.clock, feed.start());
    store.partition(true);
    await world.clock.advance(1_000);
    world.delete('a', 10);
    world.put('a', 20);
    world.etcd.compact(world.etcd.revision);
    store.partition(false);
    await world.clock.advance(60_000);
    expect(shown(feed)).toEqual(['a/1970-01-01T00:00:20.000Z succeeded']);
    expect(world.changes.some(({ relisted }) => relisted)).toBe(true);
    await feed.stop();
  });
});
