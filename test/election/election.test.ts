import { afterEach, describe, expect, it } from 'vitest';
import { MemoryCluster, type MemoryNode } from '../support/memory-cluster.js';
import { Election, type Term } from '../../src/election/election.js';
import { leaderRecordSchema } from '../../src/election/leader-record.js';
import { encodeRecord } from '../../src/etcd/record.js';
import { put } from '../../src/etcd/txn.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { unreachable } from '../../src/testing/refusals.js';
import type { InterceptedCall } from '../../src/testing/memory-store.js';

let cluster: MemoryCluster;

afterEach(async () => {
  await cluster.stop();
  expect(cluster.clock.pendingTimers).toBe(0);
});

async function setUp(...names: string[]): Promise<MemoryNode[]> {
  cluster = new MemoryCluster();
  return cluster.addNodes(...names);
}

const leaders = (): number => cluster.nodes.filter(({ node }) => node.isLeader()).length;
const touchesLeader = ({ method, args }: InterceptedCall): boolean =>
  method === 'txn' &&
  JSON.stringify(args).includes('"key":"/cron/leader"') &&
  !JSON.stringify(args).includes('cursor');

/** Loses the first call of that phase that is about the leader key. */
function loseOnce(node: MemoryNode, phase: InterceptedCall['phase']): () => number {
  let lost = 0;
  node.store.intercept = (call) => {
    if (call.phase !== phase || !touchesLeader(call) || lost > 0) return;
    lost += 1;
    throw unreachable('lost', true);
  };
  return () => lost;
}

describe('the election', () => {
  it('takes up an office of its own from the time of the campaign that won it, not from when it is found', async () => {
    cluster = new MemoryCluster();
    const { clock, etcd, keys } = cluster;
    const store = etcd.connect();
    const { leaseId } = etcd.leaseGrant(60_000);
    const wonAtMs = clock.now();
    const record = encodeRecord(leaderRecordSchema, { nodeId: 'me', name: 'me', since: wonAtMs });
    const { revision } = etcd.txn({ compare: [], success: [put(keys.leader, record, leaseId)] });
    const terms: Term[] = [];
    const election = new Election({
      ...{ store, keys, clock, random: () => 0, log: silentLogger(), nodeId: 'me', name: 'me' },
      session: { leaseId, isTrusted: () => true },
      isFit: () => true,
      observe: () => ({ office: { state: 'absent' }, revision }),
      onElected: (term) => terms.push(term),
      onDeposed: () => undefined,
    });
    await clock.advance(5_000);
    await election.start();
    await clock.advance(1_000);
    await election.stop();
    expect(terms).toEqual([{ createRevision: revision, campaignedAtMs: wonAtMs }]);
    etcd.leaseRevoke(leaseId);
  });

  it('looks again also when it is asked to in the moment in which it has just looked', async () => {
    cluster = new MemoryCluster();
    const { clock, etcd, keys } = cluster;
    const { leaseId } = etcd.leaseGrant(60_000);
    let isFit = false;
    const terms: Term[] = [];
    const election = new Election({
      ...{ store: etcd.connect(), keys, clock, random: () => 0, log: silentLogger() },
      ...{ nodeId: 'me', name: 'me', session: { leaseId, isTrusted: () => true }, isFit: () => isFit },
      observe: () => ({ office: { state: 'absent' }, revision: etcd.revision }),
      onElected: (term) => terms.push(term),
      onDeposed: () => undefined,
    });
    await election.start();
    isFit = true;
    election.poke();
    await clock.advance(1_000);
    await election.stop();
    expect(terms).toHaveLength(1);
    etcd.leaseRevoke(leaseId);
  });

  it.each(['request', 'reply'] as const)('is won although the %s of the campaign is lost', async (phase) => {
    const [first, second] = await setUp('a', 'b');
    const leader = cluster.leader()!;
    const other = leader === first ? second! : first!;
    const lost = loseOnce(other, phase);
    void leader.node.stop();
    await cluster.clock.advance(5_000);
    expect([lost(), other.node.isLeader()]).toEqual([1, true]);
  });

  it.each(['request', 'reply'] as const)(
    'hands over at once although the %s of the resignation is lost',
    async (phase) => {
      const [first, second] = await setUp('a', 'b');
      // A run that goes on keeps the draining node, and its lease, alive.
      await cluster.putJob('long', { schedule: '* * * * * *', command: 'run 20000' });
      await cluster.clock.advance(4_000);
      const leader = cluster.leader()!;
      const other = leader === first ? second! : first!;
      const lost = loseOnce(leader, phase);
      void leader.node.stop();
      await cluster.clock.advance(1_000);
      expect([lost(), other.node.isLeader()]).toEqual([1, true]);
      await cluster.clock.advance(60_000);
    },
  );

  it('starts again when the key is deleted, overwritten, or put without a lease', async () => {
    await setUp('a', 'b');
    for (const spoil of [
      () => cluster.deleteKey(cluster.keys.leader),
      () => cluster.putKey(cluster.keys.leader, 'garbage'),
      () =>
        cluster.putKey(
          cluster.keys.leader,
          JSON.stringify({ nodeId: 'x', name: 'x', since: new Date(0).toISOString() }),
        ),
    ]) {
      await spoil();
      await cluster.clock.advance(2_000);
      expect(leaders()).toBe(1);
      expect(cluster.etcd.get(cluster.keys.leader)!.leaseId).not.toBeNull();
    }
  });

  it('has nobody in office who is cut off, and the same one again when the cut was short', async () => {
    await setUp('a', 'b');
    const leader = cluster.leader()!;
    leader.store.partition(true);
    await cluster.clock.advance(9_000);
    expect(leader.node.isLeader()).toBe(false);
    cluster.etcd.renewAllLeases();
    leader.store.partition(false);
    await cluster.clock.advance(5_000);
    expect([leader.node.isLeader(), leaders()]).toEqual([true, 1]);
  });
});
