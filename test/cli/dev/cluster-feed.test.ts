import { expect, test } from 'vitest';
import { ClusterFeed } from '../../../src/cli/dev/cluster-feed.js';
import type { FeedEvent } from '../../../src/cli/dev/feed-event.js';
import { leaderRecordSchema } from '../../../src/election/leader-record.js';
import { workerRecordSchema } from '../../../src/election/worker-record.js';
import { Keys, type FiringId } from '../../../src/etcd/keys.js';
import { encodeRecord } from '../../../src/etcd/record.js';
import { del, put } from '../../../src/etcd/txn.js';
import { emptyRecord, encodeRun, type RunRecord } from '../../../src/history/run-record.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { FakeClock } from '../../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';
import { encodeFiring, plannedFiring, type FiringRecord } from '../../../src/view/firing-record.js';

const keys = new Keys();

function setup() {
  const clock = new FakeClock();
  const server = new MemoryEtcd(clock);
  const store = server.connect();
  const events: FeedEvent[] = [];
  const feed = new ClusterFeed({
    store,
    keys,
    clock,
    log: silentLogger(),
    onEvent: (event) => events.push(event),
  });
  const id: FiringId = { job: 'backup', dueMs: clock.now() + 1_000, suffix: null };
  const write = async (...success: ReturnType<typeof put>[]): Promise<void> => {
    await store.txn({ compare: [], success });
    await clock.settle();
  };
  return {
    ...{ clock, server, store, feed, id, write },
    firing: (fields: Partial<FiringRecord>) =>
      write(put(keys.firing(id), encodeFiring({ ...plannedFiring('f'), ...fields }))),
    worker: (nodeId: string, name: string, state: 'active' | 'draining' = 'active') => {
      const facts = {
        ...{ name, host: 'h', pid: 1, version: '0', state, capacity: 1, labels: {}, startedAt: 0 },
        ...{ handlers: [], clock: null, skewed: false, api: null },
      };
      const { leaseId } = server.leaseGrant(24 * 3_600_000);
      return write(put(keys.worker(nodeId), encodeRecord(workerRecordSchema, facts), leaseId));
    },
    leader: (nodeId: string, name: string) =>
      write(put(keys.leader, encodeRecord(leaderRecordSchema, { nodeId, name, since: 0 }))),
    run: (record: Partial<RunRecord>) =>
      write(
        del(keys.firing(id)),
        put(keys.run(id), encodeRun({ ...emptyRecord('succeeded', null, 0), ...record })),
      ),
    /** What was told since the last look, in short. */
    told: () => events.splice(0).map(brief),
  };
}

function brief(event: FeedEvent): string {
  const { kind } = event;
  if (kind === 'ended') return `ended ${event.id.job} ${event.record.outcome}`;
  if (kind === 'leader') return `leader ${event.name} before ${event.before}`;
  if (kind === 'worker' || kind === 'job') return `${kind} ${event.name} ${event.change}`;
  if (kind === 'recovered') return `recovered ${event.from} → ${event.worker} #${event.attempt}`;
  if (kind === 'released') return `released by ${event.worker}: ${event.why}`;
  if (kind === 'started' || kind === 'retry') return `${kind} ${event.worker} #${event.attempt}`;
  return kind;
}

test('what was there before is no news, but who led is known', async () => {
  const { feed, told, leader, worker, firing, run } = setup();
  await leader('w-1-aaaaaa', 'w-1');
  await worker('w-1-aaaaaa', 'w-1');
  await run({});
  await firing({ node: 'w-1-aaaaaa', attempt: 1 });
  await feed.start();
  expect(told()).toEqual([]);
  await leader('w-2-bbbbbb', 'w-2');
  expect(told()).toEqual(['leader w-2 before w-1']);
  await feed.stop();
});

test('a run that ends soon is one event; a long one is announced once', async () => {
  const { clock, feed, told, firing, run } = setup();
  await feed.start();
  await firing({});
  await firing({ node: 'w-1-aaaaaa', attempt: 1 });
  await clock.advance(2_999);
  expect(told()).toEqual([]);
  await clock.advance(1);
  expect(told()).toEqual(['started w-1 #1']);
  await clock.advance(10_000);
  await run({ outcome: 'failed' });
  expect(told()).toEqual(['ended backup failed']);
  await run({
    outcome: 'lost',
    late: { outcome: 'succeeded', exitCode: 0, signal: null, endedAt: 0, durationMs: 1 },
  });
  expect(told()).toEqual(['late-result']);
  await firing({ node: 'w-1-aaaaaa', attempt: 1 });
  await run({});
  await clock.advance(10_000);
  expect(told()).toEqual([]);
  await feed.stop();
  expect(clock.pendingTimers).toBe(0);
});

test('retries, handed-over and recovered attempts are told, returned claims are not', async () => {
  const { clock, feed, told, firing, id } = setup();
  await feed.start();
  await firing({});
  await firing({ node: 'w-1-aaaaaa', attempt: 1 });
  await firing({});
  expect(told()).toEqual([]);
  await firing({ node: 'w-1-aaaaaa', attempt: 1 });
  await firing({ attempt: 1, notBefore: id.dueMs + 10_000 });
  expect(told()).toEqual(['retry w-1 #2']);
  await firing({ node: 'w-2-bbbbbb', attempt: 2, notBefore: id.dueMs + 10_000 });
  await clock.advance(12_999);
  expect(told()).toEqual([]);
  await clock.advance(1);
  expect(told()).toEqual(['started w-2 #2']);
  await firing({ node: 'w-3-cccccc', attempt: 3, crashes: 1, notBefore: id.dueMs + 10_000 });
  expect(told()).toEqual(['recovered w-2 → w-3 #3']);
  await firing({ attempt: 3, crashes: 1 });
  expect(told()).toEqual(['released by w-3: shutdown']);
  await firing({ node: 'w-1-dddddd', attempt: 4, crashes: 1 });
  await firing({ attempt: 4, crashes: 2 });
  expect(told()).toEqual(['released by w-1: lease']);
  await feed.stop();
});

test('workers come, drain, leave and are lost', async () => {
  const { feed, told, worker, write } = setup();
  await feed.start();
  await worker('w-1-aaaaaa', 'w-1');
  await worker('w-2-bbbbbb', 'w-2');
  await worker('w-1-aaaaaa', 'w-1', 'draining');
  await write(del(keys.worker('w-1-aaaaaa')));
  await write(del(keys.worker('w-2-bbbbbb')));
  expect(told()).toEqual([
    'worker w-1 joined',
    'worker w-2 joined',
    'worker w-1 draining',
    'worker w-1 left',
    'worker w-2 gone',
  ]);
  await feed.stop();
});

test('jobs that somebody puts, breaks and deletes are told', async () => {
  const { feed, told, write } = setup();
  await feed.start();
  await write(put(keys.job('a'), '{"schedule":"@hourly","command":"true"}'));
  await write(put(keys.job('a'), 'schedule: "*/5 * * * *"\ncommand: "false"'));
  await write(put(keys.job('a'), 'nonsense'));
  await write(del(keys.job('a')));
  expect(told()).toEqual(['job a added', 'job a changed', 'job a broken', 'job a deleted']);
  await feed.stop();
});

test('a feed that fell behind a compaction says so and goes on', async () => {
  const { clock, server, store, feed, told, run, write } = setup();
  await feed.start();
  store.partition(true);
  const other = server.connect();
  for (let n = 0; n < 3; n += 1) {
    await other.txn({
      compare: [],
      success: [put(keys.run({ job: 'x', dueMs: n, suffix: null }), 'damaged')],
    });
  }
  server.compact(server.revision);
  store.partition(false);
  await clock.advance(60_000);
  expect(told()).toContain('note');
  await write(put('/elsewhere', ''));
  await run({});
  expect(told()).toEqual(['ended backup succeeded']);
  await feed.stop();
});
