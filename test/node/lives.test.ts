/** A node's lives and its end. */
import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/clock.js';
import { MemoryCluster } from '../support/memory-cluster.js';

describe('a node', () => {
  it('begins another life also when the lease ends before that one has begun', async () => {
    const cluster = new MemoryCluster();
    // The registration's answer is under way while the lease is revoked and the next renewal says so.
    let held = 0;
    const starting = cluster.startNode('a');
    cluster.nodes[0]!.store.intercept = async ({ method, phase, args }) => {
      if (held === 3 || method !== 'txn' || phase !== 'reply' || !JSON.stringify(args).includes('/workers/'))
        return;
      held += 1;
      cluster.etcd.leaseRevoke(cluster.etcd.leaseIds()[0]!);
      await sleep(cluster.clock, 4_500);
    };
    await cluster.clock.advance(30_000);
    await starting;
    expect([held, cluster.nodes[0]!.node.isLeader()]).toEqual([3, true]);
    expect(cluster.etcd.leaseIds()).toHaveLength(1);
    await cluster.stop();
    expect([cluster.clock.pendingTimers, cluster.etcd.leaseIds()]).toEqual([0, []]);
  });

  it.each([0, 1, 2, 3, 5, 8])(
    'leaves nothing behind when it is stopped %i ms into its start',
    async (afterMs) => {
      const cluster: MemoryCluster = new MemoryCluster({
        store: () => ({ intercept: () => sleep(cluster.clock, 1) }),
      });
      const starting = cluster.startNode('a').catch(() => undefined);
      await cluster.clock.advance(afterMs);
      const { node } = cluster.nodes[0]!;
      let stopped = false;
      const stopping = node.stop().then(() => {
        stopped = true;
        return [cluster.clock.pendingTimers, cluster.etcd.leaseIds().length];
      });
      while (!stopped) await cluster.clock.advance(1);
      expect(await stopping).toEqual([0, 0]);
      await starting;
    },
  );

  it('leaves no timer and no lease after a stop in the middle of work', async () => {
    const cluster = new MemoryCluster({ node: { drainGraceMs: 2_000 } });
    await cluster.addNodes('a', 'b');
    await cluster.putJob('tick', { schedule: '* * * * * *' });
    await cluster.putJob('long', { schedule: '*/5 * * * * *', command: 'run 60000', overlap: 'allow' });
    await cluster.putJob('tight', { schedule: '* * * * * *', command: 'run 1500', misfire: 'all' });
    await cluster.clock.advance(20_300);
    await cluster.stop();
    expect([cluster.clock.pendingTimers, cluster.etcd.leaseIds()]).toEqual([0, []]);
    expect(cluster.violations()).toEqual([]);
  });

  it('whose lease is taken away before its time ends its commands at once, not with the next renewal', async () => {
    const cluster = new MemoryCluster();
    await cluster.addNodes('a');
    await cluster.putJob('long', { schedule: '*/10 * * * * *', command: 'run 60000' });
    while (cluster.processes.length === 0) await cluster.clock.advance(100);
    const revokedAtMs = cluster.clock.now();
    cluster.etcd.leaseRevoke(cluster.etcd.leaseIds()[0]!);
    await cluster.clock.advance(100);
    expect(cluster.processes[0]!.endedAtMs ?? Infinity).toBeLessThanOrEqual(revokedAtMs + 100);
    await cluster.stop();
  });
});
