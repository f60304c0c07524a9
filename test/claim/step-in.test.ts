import { afterEach, describe, expect, it } from 'vitest';
import { sleep } from '../../src/clock.js';
import type { Txn } from '../../src/etcd/store.js';
import { createLogger } from '../../src/telemetry/logger.js';
import { MemoryCluster } from '../support/memory-cluster.js';

let cluster: MemoryCluster;
let logged: string[];
/** How often a lock was asked for. */
let asked: number;

afterEach(async () => {
  await cluster.stop();
});

interface Circumstances {
  /** Each claim is answered so late. */
  readonly takesMs?: number;
  /** So late a worker sees what changes. */
  readonly showsMs?: () => number;
}

async function setUp(
  names: readonly string[],
  { takesMs = 0, showsMs = () => 0 }: Circumstances,
): Promise<void> {
  asked = 0;
  logged = [];
  cluster = new MemoryCluster({
    log: createLogger({
      level: 'warn',
      format: 'json',
      destination: { write: (line) => void logged.push(line) },
    }),
    store: () => ({
      watchDelayMs: showsMs,
      intercept: async ({ method, phase, args }) => {
        if (method !== 'txn' || phase !== 'request') return;
        const { success } = args[0] as Txn;
        const locks = success.filter(({ type, key }) => type === 'put' && key.startsWith(cluster.keys.locks));
        asked += locks.length;
        if (locks.length > 0) await sleep(cluster.clock, takesMs);
      },
    }),
  });
  await cluster.addNodes(...names);
}

describe('whoever is not the first in order', () => {
  it('gives those before it time where claims take long, even before any claim was answered', async () => {
    await setUp(['a', 'b', 'c'], { takesMs: 400 });
    for (let job = 0; job < 60; job += 1)
      await cluster.putJob(`job-${job}`, { schedule: '0 10 12 * * *', timezone: 'UTC', command: 'run 10' });
    await cluster.clock.advance(11 * 60_000);
    expect(cluster.processes).toHaveLength(60);
    expect(asked).toBe(60);
  });

  it('steps in for one that does nothing', async () => {
    await setUp(['a', 'b', 'c'], {});
    await cluster.putJob('job', { schedule: '* * * * *', timezone: 'UTC', command: 'run 10' });
    await cluster.clock.advance(30_000);
    // Cut off, but not dead: its lease stands, and nobody knows.
    const [node] = cluster.nodes.filter((one) => one !== cluster.leader());
    node!.store.partition(true);
    await cluster.clock.advance(8_000);
    node!.store.partition(false);
    await cluster.clock.advance(5 * 60_000);
    const dues = new Set(cluster.processes.map(({ dueMs }) => dueMs));
    expect(dues.size).toBe(5);
    expect(cluster.violations()).toEqual([]);
  });
});

describe('a worker to which etcd shows late what it has done itself', () => {
  it('does not claim again what has ended before it saw the claim', async () => {
    let showsMs = 0;
    await setUp(['a'], { showsMs: () => showsMs });
    for (let job = 0; job < 20; job += 1)
      await cluster.putJob(`job-${job}`, { schedule: '0 10 12 * * *', timezone: 'UTC', command: 'run 10' });
    await cluster.clock.advanceTo(Date.UTC(2026, 0, 1, 12, 9, 59));
    showsMs = 3_000;
    await cluster.clock.advance(60_000);
    expect(cluster.processes).toHaveLength(20);
    expect(asked).toBe(20);
  });

  it('does not take for a stray claim what has ended and is still shown', async () => {
    let showsMs = 0;
    await setUp(['a'], { showsMs: () => showsMs });
    await cluster.putJob('job', { schedule: '0 10 12 * * *', timezone: 'UTC', command: 'run 10' });
    await cluster.clock.advanceTo(Date.UTC(2026, 0, 1, 12, 10));
    showsMs = 8_000;
    await cluster.clock.advance(60_000);
    expect(cluster.processes).toHaveLength(1);
    expect(logged.filter((line) => line.includes('handing it back'))).toEqual([]);
  });
});
