import { beforeEach, describe, expect, it } from 'vitest';
import { Keys } from '../../src/etcd/keys.js';
import { workerRecordSchema } from '../../src/election/worker-record.js';
import { Mirror } from '../../src/etcd/mirror.js';
import { encodeRecord } from '../../src/etcd/record.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { ClusterView, type ViewChanges, type ViewProblem } from '../../src/view/cluster-view.js';
import { encodeFiring, plannedFiring, type FiringRecord } from '../../src/view/firing-record.js';

const keys = new Keys();
const RUN = 'job/1970-01-01T00:00:01.000Z';
let clock: FakeClock;
let etcd: MemoryEtcd;
let view: ClusterView;
let changes: ViewChanges[];
let problems: ViewProblem[];

beforeEach(async () => {
  clock = new FakeClock();
  etcd = new MemoryEtcd(clock);
  const store = etcd.connect();
  const [main, workers] = [keys.mirrored, keys.mirroredWorkers].map(
    (range) => new Mirror(store, range, { clock, log: silentLogger(), name: 'test' }),
  );
  changes = [];
  problems = [];
  view = new ClusterView(keys, main!, workers!, (problem) => problems.push(problem));
  view.onChange((change) => changes.push(change));
  const starting = Promise.all([main!.start(), workers!.start()]);
  await clock.settle();
  await starting;
});

async function write(...pairs: [key: string, value: string | null][]): Promise<void> {
  etcd.txn({
    compare: [],
    success: pairs.map(([key, value]) =>
      value === null ? { type: 'delete', key } : { type: 'put', key, value },
    ),
  });
  await clock.settle();
}

function firing(more: Partial<FiringRecord> = {}): string {
  return encodeFiring({ ...plannedFiring('f'), ...more });
}

describe('ClusterView', () => {
  it('indexes firings by job and by node, and keeps no empty index', async () => {
    await write([keys.firings + RUN, firing({ node: 'n1', attempt: 1 })]);
    expect([...view.firingsByNode.get('n1')!.keys()]).toEqual([RUN]);
    await write([keys.firings + RUN, firing({ node: 'n2', attempt: 2 })]);
    expect([...view.firingsByNode.keys()]).toEqual(['n2']);
    await write([keys.firings + RUN, firing({ attempt: 2 })]);
    expect([view.firingsByNode.size, view.firingsByJob.get('job')!.size]).toEqual([0, 1]);
    await write([keys.firings + RUN, null]);
    expect([view.firings.size, view.firingsByJob.size]).toEqual([0, 0]);
  });

  it('announces a transaction as one change, with what was there before', async () => {
    await write([keys.firings + RUN, firing()]);
    const before = view.firings.get(RUN);
    changes = [];
    await write([keys.firings + RUN, firing({ attempt: 1 })], [keys.job('job'), '{}'], [keys.cursor, 'x']);
    expect(changes).toHaveLength(1);
    expect(changes[0]!.firings.get(RUN)).toBe(before);
    expect([...changes[0]!.jobs]).toEqual([['job', undefined]]);
    expect(changes[0]).toMatchObject({ cursor: true, leader: false, revision: etcd.revision });
  });

  it('keeps what does not decode out, says so, and forgets what it replaced', async () => {
    await write([keys.firings + RUN, firing({ node: 'n1', attempt: 1 })], [keys.workers + 'n1', '{}']);
    await write(
      [keys.firings + RUN, 'garbage'],
      [`${keys.firings}no-run-id`, firing()],
      [`${keys.jobs}no/name`, '{}'],
      [keys.leader, '[]'],
    );
    expect([view.firings.size, view.firingsByNode.size, view.workers.size, view.jobs.size]).toEqual([
      0, 0, 0, 0,
    ]);
    expect(view.leader).toMatchObject({ state: 'broken', leaseId: null });
    expect(problems.map(({ key }) => key).sort()).toEqual(
      [
        keys.firings + RUN,
        `${keys.firings}no-run-id`,
        `${keys.jobs}no/name`,
        keys.leader,
        `${keys.workers}n1`,
      ].sort(),
    );
  });

  it('counts on no worker that no lease would ever take away', async () => {
    const worker = encodeRecord(workerRecordSchema, {
      ...{ name: 'w', host: 'h', pid: 1, version: '0', state: 'active', capacity: 1 },
      ...{ labels: {}, handlers: [], startedAt: 0, clock: null, skewed: false, api: null },
    });
    const { leaseId } = etcd.leaseGrant(60_000);
    const key = keys.worker('w-aaaaaa');
    etcd.txn({ compare: [], success: [{ type: 'put', key, value: worker, leaseId }] });
    await clock.settle();
    expect([...view.workers.keys()]).toEqual(['w-aaaaaa']);
    await write([key, worker]);
    expect(view.workers.size).toBe(0);
    expect(problems).toEqual([{ key, problem: 'has no lease: no worker wrote it' }]);
  });

  it('says that a broken job is there, and why it has no schedule', async () => {
    await write(
      [keys.job('bad'), '{"schedule": "never", "command": 1}'],
      [keys.job('off'), '{"schedule": "* * * * *", "command": "x", "paused": true}'],
    );
    expect(view.jobs.get('bad')).toMatchObject({ job: null, schedule: null, plannedFingerprint: null });
    expect(view.jobs.get('bad')!.problems.length).toBeGreaterThan(0);
    expect(view.jobs.get('off')).toMatchObject({ schedule: null, plannedFingerprint: null, problems: [] });
  });

  it('announces kill requests once, and forgets them', async () => {
    const kill = JSON.stringify({ by: 'me', reason: 'why', at: new Date(0).toISOString() });
    await write([keys.kills + RUN, kill]);
    expect(changes.at(-1)!.kills).toEqual([RUN]);
    await write([keys.kills + RUN, null]);
    expect(view.kills.size).toBe(0);
  });
});
