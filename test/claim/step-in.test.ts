import { afterEach, describe, expect, it } from 'vitest';
import { sleep } from '../../src/clock.js';
import type { Txn } from '../../src/etcd/store.js';
import { MemoryCluster } from '../support/memory-cluster.js';

let cluster: MemoryCluster;
/** How often a lock was asked for. */
let asked: number;

afterEach(async () => {
  await cluster.stop();
});

/** Three workers, of which each hears from etcd after `takesMs`. */
async function setUp(takesMs: number): Promise<void> {
  asked = 0;
  cluster = new MemoryCluster({
    store: () => ({
      intercept: async ({ method, phase, args }) => {
        if (method !== 'txn' || phase !== 'request') return;
        const { success } = args[0] as Txn;
        const locks = success.filter(({ type, key }) => type === 'put' && key.startsWith(cluster.keys.locks));
        asked += locks.length;
        if (locks.length > 0) await sleep(cluster.clock, takesMs);
      },
    }),
  });
  await cluster.addNodes('a', 'b', 'c');
}

describe('whoever is not the first in order', () => {
  it('gives those before it time where claims take long, even before any claim was answered', async () => {
    await setUp(400);
    for (let job = 0; job < 60; job += 1)
      await cluster.putJob(`job-${job}`, { schedule: '0 10 12 * * *', timezone: 'UTC', command: 'run 10' });
    await cluster.clock.advance(11 * 60_000);
    expect(cluster.processes).toHaveLength(60);
    expect(asked).toBe(60);
  });

  it('steps in for one that does nothing', async () => {
    await setUp(0);
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
