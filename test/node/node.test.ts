import { afterEach, describe, expect, it } from 'vitest';
import { MemoryCluster, type MemoryClusterOptions } from '../support/memory-cluster.js';

const EVERY_SECOND = '* * * * * *';

let cluster: MemoryCluster;

function makeCluster(options: MemoryClusterOptions = {}): MemoryCluster {
  cluster = new MemoryCluster(options);
  return cluster;
}

afterEach(() => {
  expect(cluster.violations()).toEqual([]);
});

function outcomes(job?: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of cluster.records(job).values()) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

describe('a cluster of three nodes', () => {
  it('runs every due time once, on time, spread over the nodes', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    for (let index = 0; index < 20; index += 1)
      await cluster.putJob(`job-${index}`, { schedule: EVERY_SECOND });
    await clock.advance(20_000);
    const from = clock.now();
    await clock.advance(60_000);
    const through = clock.now() - 1_000;
    for (let index = 0; index < 20; index += 1) {
      expect(cluster.accounting(`job-${index}`, EVERY_SECOND, from, through)).toEqual([]);
    }
    expect(Object.keys(outcomes())).toEqual(['succeeded']);
    const started = cluster.processes.filter((one) => one.dueMs > from);
    expect(Math.max(...started.map((one) => one.startedAtMs - one.dueMs))).toBe(0);
    const share = (node: string): number =>
      started.filter((one) => one.node === node).length / started.length;
    for (const node of ['a', 'b', 'c']) expect(share(node)).toBeGreaterThan(0.2);
  });

  it('has one leader, and another at once when it resigns', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    expect(cluster.nodes.filter(({ node }) => node.isLeader())).toHaveLength(1);
    const first = cluster.leader()!;
    const stopping = first.node.stop();
    await clock.advance(100);
    await stopping;
    expect(cluster.leader()).toBeDefined();
    expect(cluster.leader()).not.toBe(first);
  });

  it('delays nothing when the leader dies', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('tick', { schedule: EVERY_SECOND });
    await clock.advance(30_000);
    const from = clock.now();
    const dead = cluster.leader()!;
    dead.crash();
    await clock.advance(60_000);
    expect(cluster.accounting('tick', EVERY_SECOND, from, clock.now() - 1_000)).toEqual([]);
    // What the dead node had claimed is run again after its lease; nothing else is late.
    const late = cluster.processes.filter(
      (one) => one.dueMs > from && one.startedAtMs > one.dueMs && one.attempt === 1,
    );
    expect(late).toEqual([]);
  });
});

describe('a worker that dies in the middle of a run', () => {
  it('has its run started again elsewhere with attempt 2 when the job says rerun', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('long', { schedule: '0 * * * * *', command: 'run 20000' });
    await clock.advance(65_000);
    const first = cluster.processes[0]!;
    cluster.nodes.find(({ name }) => name === first.node)!.crash();
    await clock.advance(45_000);
    const [record] = [...cluster.records('long').values()];
    expect(record).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 1 });
    expect(cluster.processes[1]!.node).not.toBe(first.node);
  });

  it('ends lost when the job says abandon', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('long', { schedule: '0 * * * * *', command: 'run 20000', recovery: 'abandon' });
    await clock.advance(65_000);
    cluster.nodes.find(({ name }) => name === cluster.processes[0]!.node)!.crash();
    await clock.advance(45_000);
    const [record] = [...cluster.records('long').values()];
    expect(record).toMatchObject({ outcome: 'lost', attempts: 1, crashes: 1 });
    expect(cluster.processes).toHaveLength(1);
  });

  it('gives a firing up that takes one worker after the other with it', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c', 'd', 'e');
    await cluster.putJob('poison', { schedule: '0 0 13 * * *', command: 'run 5000' });
    await clock.advanceTo(Date.UTC(2026, 0, 1, 12, 59, 59));
    for (let crash = 0; crash < 3; crash += 1) {
      while (cluster.processes.length <= crash) await clock.advance(500);
      cluster.nodes.find(({ name }) => name === cluster.processes[crash]!.node)!.crash();
    }
    await clock.advance(60_000);
    const [record] = [...cluster.records('poison').values()];
    expect(record).toMatchObject({
      outcome: 'lost',
      attempts: 3,
      crashes: 3,
      reason: 'given up: 3 attempts were lost with their workers',
    });
    expect(cluster.nodes).toHaveLength(2);
  });
});

describe('a node that is cut off from etcd', () => {
  it('kills its rerun processes before anybody else starts them again', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('long', { schedule: '0 * * * * *', command: 'run 50000' });
    await clock.advance(65_000);
    const first = cluster.processes[0]!;
    const cutOff = cluster.nodes.find(({ name }) => name === first.node)!;
    cutOff.store.partition(true);
    await clock.advance(30_000);
    expect(first.endedAtMs).not.toBeNull();
    expect(cluster.processes[1]!.startedAtMs).toBeGreaterThan(first.endedAtMs!);
    cutOff.store.partition(false);
    await clock.advance(60_000);
    expect([...cluster.records('long').values()][0]).toMatchObject({ outcome: 'succeeded', attempts: 2 });
    // It is back, under a new node id.
    expect(cutOff.node.nodeId).not.toBeNull();
  });

  it('lets an abandon process finish and adds its result to the lost record', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('long', { schedule: '0 1 12 * * *', command: 'run 40000', recovery: 'abandon' });
    await clock.advance(65_000);
    const cutOff = cluster.nodes.find(({ name }) => name === cluster.processes[0]!.node)!;
    cutOff.store.partition(true);
    await clock.advance(20_000);
    expect([...cluster.records('long').values()][0]).toMatchObject({ outcome: 'lost', late: null });
    cutOff.store.partition(false);
    await clock.advance(35_000);
    expect([...cluster.records('long').values()][0]).toMatchObject({
      outcome: 'lost',
      late: { outcome: 'succeeded' },
    });
    expect(cluster.processes).toHaveLength(1);
  });

  it('goes on with what it holds when it comes back in time', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('long', { schedule: '0 * * * * *', command: 'run 20000' });
    await clock.advance(65_000);
    const cutOff = cluster.nodes.find(({ name }) => name === cluster.processes[0]!.node)!;
    const { nodeId } = cutOff.node;
    cutOff.store.partition(true);
    await clock.advance(3_000);
    cutOff.store.partition(false);
    await clock.advance(30_000);
    expect(cutOff.node.nodeId).toBe(nodeId);
    expect([...cluster.records('long').values()][0]).toMatchObject({ outcome: 'succeeded', attempts: 1 });
  });
});

describe('after a time in which no worker ran', () => {
  async function downFor(downMs: number): Promise<{ downAt: number; upAt: number }> {
    const { clock } = cluster;
    await cluster.addNodes('a', 'b');
    await cluster.putJob('once', { schedule: EVERY_SECOND, misfire: 'once' });
    await cluster.putJob('skip', { schedule: EVERY_SECOND, misfire: 'skip' });
    await cluster.putJob('all', {
      schedule: '*/10 * * * * *',
      misfire: { policy: 'all', window: '1h', limit: 100 },
    });
    await cluster.putJob('few', {
      schedule: '*/10 * * * * *',
      misfire: { policy: 'all', window: '1h', limit: 5 },
    });
    await clock.advance(30_000);
    const downAt = clock.now();
    for (const node of [...cluster.nodes]) node.crash();
    await clock.advance(downMs);
    const upAt = clock.now();
    await cluster.addNodes('c', 'd');
    await clock.advance(30_000);
    return { downAt, upAt };
  }

  it('treats what was missed as each policy says, and accounts for all of it', async () => {
    const { clock } = makeCluster();
    const { downAt, upAt } = await downFor(5 * 60_000);
    const through = clock.now() - 2_000;
    expect(cluster.accounting('once', EVERY_SECOND, downAt, through)).toEqual([]);
    expect(cluster.accounting('skip', EVERY_SECOND, downAt, through)).toEqual([]);
    expect(cluster.accounting('all', '*/10 * * * * *', downAt, through)).toEqual([]);
    expect(cluster.accounting('few', '*/10 * * * * *', downAt, through)).toEqual([]);
    const lateRuns = (job: string): number =>
      cluster.processes.filter(
        (one) =>
          one.runId.startsWith(`${job}/`) && one.startedAtMs >= upAt && one.startedAtMs - one.dueMs > 10_000,
      ).length;
    expect(lateRuns('once')).toBe(1);
    expect(lateRuns('skip')).toBe(0);
    expect(lateRuns('few')).toBe(5);
    expect(lateRuns('all')).toBeGreaterThanOrEqual(28);
    const dues = cluster.processes.filter((one) => one.runId.startsWith('all/')).map((one) => one.dueMs);
    expect(dues).toEqual([...dues].sort((a, b) => a - b));
    const missed = [...cluster.records('skip').values()].filter((record) => record.outcome === 'missed');
    expect(missed.reduce((sum, record) => sum + (record.missed?.count ?? 0), 0)).toBeGreaterThan(280);
  });

  it('accounts for everything when the first new leader dies in the middle of it', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a');
    for (let index = 0; index < 10; index += 1)
      await cluster.putJob(`job-${index}`, { schedule: EVERY_SECOND });
    await clock.advance(20_000);
    const downAt = clock.now();
    cluster.nodes[0]!.crash();
    await clock.advance(120_000);
    const [half] = await cluster.addNodes('b');
    half!.crash();
    await clock.advance(15_000);
    await cluster.addNodes('c', 'd');
    await clock.advance(30_000);
    for (let index = 0; index < 10; index += 1) {
      expect(cluster.accounting(`job-${index}`, EVERY_SECOND, downAt, clock.now() - 2_000)).toEqual([]);
    }
  });
});

describe('a job that is changed', () => {
  it('runs on its new schedule from the change on', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b');
    await cluster.putJob('job', { schedule: EVERY_SECOND });
    await clock.advance(30_500);
    await cluster.putJob('job', { schedule: '*/5 * * * * *' });
    const changedAt = clock.now();
    await clock.advance(30_000);
    const after = cluster.processes.filter((one) => one.dueMs > changedAt + 600);
    expect(after.every((one) => one.dueMs % 5_000 === 0)).toBe(true);
    expect(after.length).toBeGreaterThanOrEqual(5);
    expect(cluster.accounting('job', '*/5 * * * * *', changedAt, clock.now() - 1_000)).toEqual([]);
  });

  it('does not run while paused, nor what was planned before, and goes on afterwards', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b');
    await cluster.putJob('job', { schedule: EVERY_SECOND });
    await clock.advance(30_500);
    await cluster.putJob('job', { schedule: EVERY_SECOND, paused: true });
    await clock.advance(1_000);
    const paused = cluster.processes.length;
    expect(cluster.firings('job')).toEqual([]);
    await clock.advance(60_000);
    expect(cluster.processes).toHaveLength(paused);
    await cluster.putJob('job', { schedule: EVERY_SECOND });
    const resumedAt = clock.now();
    await clock.advance(10_000);
    expect(cluster.accounting('job', EVERY_SECOND, resumedAt, clock.now() - 1_000)).toEqual([]);
    // Nothing of the pause is made up for: the schedule was not in force.
    expect(cluster.processes.slice(paused).every((one) => one.dueMs > resumedAt - 3_000)).toBe(true);
  });

  it('leaves no firing behind when it is deleted, and cancels a retry that was promised', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b');
    await cluster.putJob('flaky', {
      schedule: '0 * * * * *',
      command: 'run 10 exit 1',
      retries: { attempts: 5, delay: '10m' },
    });
    await clock.advance(61_000);
    expect(cluster.firings('flaky')).toHaveLength(1);
    await cluster.deleteKey(cluster.keys.job('flaky'));
    await clock.advance(20_000);
    expect(cluster.firings('flaky')).toEqual([]);
    expect(outcomes('flaky')).toEqual({ cancelled: 1 });
  });

  it('harms nothing when its value is broken', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b');
    await cluster.putJob('good', { schedule: EVERY_SECOND });
    await cluster.putJob('bad', '{"schedule": "every day", "command": 3}');
    await cluster.putKey(`${cluster.keys.jobs}no/name`, '{}');
    await cluster.putKey(`${cluster.keys.firings}good/nonsense`, 'x');
    await cluster.putKey(`${cluster.keys.workers}ghost`, '[]');
    const from = clock.now() + 1_000;
    await clock.advance(20_000);
    expect(cluster.accounting('good', EVERY_SECOND, from, clock.now() - 1_000)).toEqual([]);
    await cluster.putJob('bad', { schedule: EVERY_SECOND });
    await clock.advance(10_000);
    expect(outcomes('bad').succeeded).toBeGreaterThanOrEqual(9);
  });
});

describe('one job beside itself', () => {
  it('skips a due time whose predecessor still runs', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('slow', { schedule: '*/5 * * * * *', command: 'run 7000', overlap: 'skip' });
    const from = clock.now() + 2_000;
    await clock.advance(62_000);
    expect(cluster.accounting('slow', '*/5 * * * * *', from, clock.now() - 2_000)).toEqual([]);
    const { succeeded = 0, skipped = 0 } = outcomes('slow');
    expect(Math.abs(succeeded - skipped)).toBeLessThanOrEqual(2);
    expect(skipped).toBeGreaterThanOrEqual(5);
  });

  it('does not skip when the predecessor ends in the last moment before', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('tight', { schedule: '*/5 * * * * *', command: 'run 4900', overlap: 'skip' });
    await clock.advance(60_000);
    expect(Object.keys(outcomes('tight'))).toEqual(['succeeded']);
  });

  it('runs beside itself when overlap is allowed', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('wide', { schedule: '*/5 * * * * *', command: 'run 7000', overlap: 'allow' });
    await clock.advance(60_000);
    expect(Object.keys(outcomes('wide'))).toEqual(['succeeded']);
  });
});

describe('a command that fails', () => {
  it('is tried again after the delay, not before, as often as it says', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b', 'c');
    await cluster.putJob('flaky', {
      schedule: '0 0 13 * * *',
      command: 'run 100 exit 2',
      retries: { attempts: 3, delay: '5s', backoff: 'exponential', maxDelay: '1m' },
    });
    await clock.advanceTo(Date.UTC(2026, 0, 1, 13, 1));
    const starts = cluster.processes.map((one) => one.startedAtMs - one.dueMs);
    expect(starts).toEqual([0, 5_100, 15_200]);
    expect([...cluster.records('flaky').values()]).toMatchObject([
      { outcome: 'failed', attempts: 3, exitCode: 2 },
    ]);
  });
});

describe('a request to end a run', () => {
  it('ends the process, and the record says who asked and why', async () => {
    const { clock } = makeCluster();
    await cluster.addNodes('a', 'b');
    await cluster.putJob('long', {
      schedule: '0 1 12 * * *',
      command: 'run 50000',
      retries: { attempts: 3 },
    });
    await clock.advance(65_000);
    const { runId } = cluster.processes[0]!;
    const request = { by: 'ann', reason: 'wrong data', at: new Date(clock.now()).toISOString() };
    await cluster.putKey(`${cluster.keys.kills}${runId}`, JSON.stringify(request));
    await clock.advance(5_000);
    expect(cluster.records('long').get(runId)).toMatchObject({
      outcome: 'killed',
      reason: 'by ann: wrong data',
    });
    expect(cluster.processes).toHaveLength(1);
  });
});

describe('an orderly stop', () => {
  it('gives back what has not started and hands over what runs too long', async () => {
    const { clock } = makeCluster({ node: { drainGraceMs: 5_000 } });
    await cluster.addNodes('a', 'b');
    await cluster.putJob('long', { schedule: '0 * * * * *', command: 'run 30000' });
    await cluster.putJob('tick', { schedule: EVERY_SECOND });
    await clock.advance(62_000);
    const first = cluster.processes.find((one) => one.runId.startsWith('long/'))!;
    const stopping = cluster.nodes.find(({ name }) => name === first.node)!;
    const from = clock.now();
    const stopped = stopping.node.stop();
    await clock.advance(60_000);
    await stopped;
    expect(cluster.accounting('tick', EVERY_SECOND, from, clock.now() - 1_000)).toEqual([]);
    const ticks = cluster.processes.filter((one) => one.runId.startsWith('tick/') && one.dueMs > from);
    expect(Math.max(...ticks.map((one) => one.startedAtMs - one.dueMs))).toBeLessThanOrEqual(100);
    const long = [...cluster.records('long')].find(([runId]) => runId === first.runId)![1];
    expect(long).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 0 });
    // Its lease was revoked: nothing of it is left.
    expect(cluster.etcd.leaseIds()).toHaveLength(1);
  });
});
