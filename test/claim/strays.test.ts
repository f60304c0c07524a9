/** Claims whose end went wrong: given back late, given up on, or taken away by hand. */
import { afterEach, describe, expect, it } from 'vitest';
import { MemoryCluster } from '../support/memory-cluster.js';
import { refused } from '../../src/testing/refusals.js';
import { decodeFiring, manualFiring } from '../../src/view/firing-record.js';

let cluster: MemoryCluster;

afterEach(() => {
  expect(cluster.violations()).toEqual([]);
});

/** One node that runs `job` at :05 for 1 s; stands at :05.5. */
async function running(more: Record<string, unknown>): Promise<void> {
  cluster = new MemoryCluster();
  await cluster.addNodes('a');
  await cluster.putJob('job', { schedule: '5 0 12 * * *', command: 'run 1000', ...more });
  await cluster.clock.advanceTo(Date.UTC(2026, 0, 1, 12, 0, 5, 500));
  expect(cluster.processes).toHaveLength(1);
}

/** As when the permission is withdrawn for a while. */
function refuseEnds(on: boolean): void {
  for (const { store } of cluster.nodes) {
    store.intercept = on
      ? ({ args, phase }) => {
          if (phase === 'request' && JSON.stringify(args).includes('"key":"/cron/runs/')) throw refused('no');
        }
      : undefined;
  }
}

describe('an end that etcd refuses to take', () => {
  it('makes a job that must not run twice lost, not run again', async () => {
    await running({ recovery: 'abandon' });
    refuseEnds(true);
    await cluster.clock.advance(1_000);
    refuseEnds(false);
    await cluster.clock.advance(15_000);
    expect(cluster.processes).toHaveLength(1);
    expect([...cluster.records('job').values()]).toMatchObject([{ outcome: 'lost', attempts: 1 }]);
    expect(cluster.firings('job')).toHaveLength(0);
    await cluster.stop();
  });

  it('runs a rerun job again', async () => {
    await running({});
    refuseEnds(true);
    await cluster.clock.advance(1_000);
    refuseEnds(false);
    await cluster.clock.advance(15_000);
    expect([...cluster.records('job').values()]).toMatchObject([{ outcome: 'succeeded', attempts: 2 }]);
    await cluster.stop();
  });
});

describe('a lock that is deleted by hand', () => {
  it.each(['rerun', 'abandon'])('does not leave the firing stuck (%s)', async (recovery) => {
    await running({ recovery });
    const [runId] = cluster.firings('job');
    await cluster.deleteKey(cluster.keys.locks + runId!);
    await cluster.clock.advance(20_000);
    expect(cluster.firings('job')).toEqual([]);
    expect([...cluster.records('job').values()]).toMatchObject([
      { outcome: recovery === 'abandon' ? 'lost' : 'succeeded' },
    ]);
    await cluster.stop();
  });
});

describe('a claim that is given back', () => {
  it('keeps the crash that it followed', async () => {
    cluster = new MemoryCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('job', { schedule: '5 0 12 * * *', command: 'run 60000' });
    await cluster.clock.advanceTo(Date.UTC(2026, 0, 1, 12, 0, 6));
    cluster.nodes.find(({ name }) => name === cluster.processes[0]!.node)!.crash();
    const kinds: string[] = [];
    // Every claim on the orphan is held up until its node has begun to drain.
    for (const one of cluster.nodes) {
      one.store.intercept = ({ args, phase }) => {
        if (phase !== 'reply' || !JSON.stringify(args).includes('"type":"put","key":"/cron/lock/job/'))
          return;
        if (kinds.push(one.name) === 1) void one.node.stop();
      };
    }
    await cluster.clock.advance(15_000);
    expect(kinds.length).toBeGreaterThan(1);
    const kv = cluster.etcd.get(cluster.keys.firings + cluster.firings('job')[0]!)!;
    expect(decodeFiring(kv)).toMatchObject({ ok: true, value: { attempt: 2, crashes: 1 } });
    await cluster.clock.advance(90_000);
    await cluster.stop();
  });
});

describe('an orphan whose time is still to come', () => {
  it('waits for it without the slot of its job', async () => {
    cluster = new MemoryCluster();
    await cluster.addNodes('a', 'b');
    await cluster.putJob('job', { schedule: '30 0 12 * * *', command: 'run 1000', overlap: 'skip' });
    // As a worker leaves it whose clock was ahead when it planned and claimed.
    const firing = { ...manualFiring(null), attempt: 1, node: 'gone-1', slot: 0 };
    const dueMs = Date.UTC(2026, 0, 1, 12, 1);
    await cluster.putKey(cluster.keys.firing({ job: 'job', dueMs, suffix: null }), JSON.stringify(firing));
    await cluster.clock.advance(120_000);
    expect(cluster.processes.map((one) => one.startedAtMs)).toEqual([dueMs - 30_000, dueMs]);
    await cluster.stop();
  });
});

describe('an edit just before the due time', () => {
  it('leaves the due time to the new schedule where both ask for it', async () => {
    cluster = new MemoryCluster();
    const { clock } = cluster;
    await cluster.addNodes('a', 'b');
    await cluster.putJob('job', { schedule: '* * * * * *' });
    await clock.advanceTo(Date.UTC(2026, 0, 1, 12, 0, 24, 700));
    const editedMs = clock.now();
    await cluster.putJob('job', { schedule: '*/5 * * * * *' });
    await clock.advance(20_000);
    expect(cluster.accounting('job', '*/5 * * * * *', editedMs, clock.now() - 1_000)).toEqual([]);
    const after = cluster.processes.filter((one) => one.startedAtMs > editedMs);
    expect(after.map((one) => (one.dueMs / 1_000) % 60)).toEqual([25, 30, 35, 40]);
    await cluster.stop();
  });

  it('loses nothing when the job is paused and resumed at once', async () => {
    cluster = new MemoryCluster();
    const { clock } = cluster;
    await cluster.addNodes('a', 'b');
    await cluster.putJob('job', { schedule: '* * * * * *' });
    await clock.advanceTo(Date.UTC(2026, 0, 1, 12, 0, 24, 700));
    const fromMs = clock.now() - 5_000;
    await cluster.putJob('job', { schedule: '* * * * * *', paused: true });
    await cluster.putJob('job', { schedule: '* * * * * *' });
    await clock.advance(20_000);
    expect(cluster.accounting('job', '* * * * * *', fromMs, clock.now() - 1_000)).toEqual([]);
    await cluster.stop();
  });
});
