/** Jobs that run on every worker that fits. */
import { afterEach, describe, expect, it } from 'vitest';
import { encodeRecord } from '../../src/etcd/record.js';
import { decodeFiring, encodeFiring, manualFiring } from '../../src/view/firing-record.js';
import { killRecordSchema } from '../../src/view/kill-record.js';
import { MemoryCluster, type MemoryClusterOptions } from '../support/memory-cluster.js';

const T0 = Date.UTC(2026, 0, 1, 12);
const EVERY_15 = '*/15 * * * * *';

let cluster: MemoryCluster;

afterEach(async () => {
  expect(cluster.stuck(75_000)).toEqual([]);
  await cluster.stop();
  expect(cluster.violations()).toEqual([]);
});

async function start(
  nodes: NonNullable<MemoryClusterOptions['nodes']>,
  job: Record<string, unknown> = {},
): Promise<void> {
  cluster = new MemoryCluster({ nodes });
  await cluster.addNodes(...Object.keys(nodes));
  await cluster.putJob('job', { schedule: EVERY_15, everywhere: true, ...job });
}

function ran(dueMs: number): string[] {
  return cluster.processes
    .filter((one) => one.dueMs === dueMs)
    .map(({ node }) => node)
    .sort();
}

function recordAt(dueMs: number, suffix = ''): unknown {
  return cluster.records('job').get(`job/${new Date(dueMs).toISOString()}${suffix}`);
}

function crash(name: string): void {
  cluster.nodes.find((one) => one.name === name)!.crash();
}

describe('a job that runs everywhere', () => {
  it('runs once on each worker that fits, and has one record for all', async () => {
    await start({ a: {}, b: {}, c: { labels: { spot: 'yes' } } }, { target: { without: { spot: '*' } } });
    await cluster.clock.advance(95_000);
    for (let due = T0 + 15_000; due <= T0 + 90_000; due += 15_000) {
      expect(ran(due)).toEqual(['a', 'b']);
      expect(recordAt(due)).toMatchObject({
        ...{ outcome: 'succeeded', attempts: 1, startedAt: due, reason: 'on 2 workers: 2 succeeded' },
      });
      expect(recordAt(due, '+on-a')).toMatchObject({ outcome: 'succeeded', worker: 'a' });
    }
    expect(cluster.accounting('job', EVERY_15, T0 + 1_000, T0 + 90_000)).toEqual([]);
  });

  it('tells each run its index and the number of them', async () => {
    await start({ a: {}, b: {} });
    await cluster.clock.advance(1_000);
    const children = cluster.firings('job').filter((runId) => runId.includes('+on-'));
    const only = children.map((runId) => {
      const decoded = decodeFiring(cluster.etcd.get(cluster.keys.firings + runId)!);
      return decoded.ok && decoded.value.only;
    });
    expect(only).toEqual([
      { worker: 'a', index: 0, count: 2 },
      { worker: 'b', index: 1, count: 2 },
    ]);
  });

  it('takes in a worker that joins, from what is planned next', async () => {
    await start({ a: {} });
    await cluster.clock.advance(20_000);
    await cluster.addNodes('b');
    await cluster.clock.advance(60_000);
    expect(ran(T0 + 15_000)).toEqual(['a']);
    expect(ran(T0 + 75_000)).toEqual(['a', 'b']);
  });

  it('fails when one of them does, and says which', async () => {
    await start(
      { a: {}, b: {} },
      { command: 'run 100 exit 3 until 2', retries: { attempts: 2, delay: '1s' }, overlap: 'allow' },
    );
    await cluster.clock.advance(20_000);
    expect(recordAt(T0 + 15_000)).toMatchObject({ outcome: 'succeeded', attempts: 2 });
    await cluster.putJob('job', { schedule: EVERY_15, everywhere: true, command: 'run 100 exit 3' });
    await cluster.clock.advance(30_000);
    expect(recordAt(T0 + 45_000)).toMatchObject({
      ...{ outcome: 'failed', reason: 'on 2 workers: 2 failed (a, b)' },
    });
  });

  it('records what a worker that died left, and goes on', async () => {
    await start({ a: {}, b: {}, c: {} }, { command: 'run 4000' });
    await cluster.clock.advanceTo(T0 + 16_000);
    crash('b');
    await cluster.clock.advance(120_000);
    expect(recordAt(T0 + 15_000, '+on-b')).toMatchObject({ outcome: 'lost', attempts: 1, crashes: 1 });
    expect(recordAt(T0 + 15_000)).toMatchObject({
      ...{ outcome: 'failed', crashes: 1, reason: 'on 3 workers: 1 lost, 2 succeeded (b)' },
    });
    // It had been planned for the dead one as well.
    expect(recordAt(T0 + 30_000, '+on-b')).toMatchObject({
      ...{ outcome: 'missed', reason: 'not started within 10000 ms: its worker b is not there' },
    });
    expect(recordAt(T0 + 75_000)).toMatchObject({ reason: 'on 2 workers: 2 succeeded' });
    expect(cluster.accounting('job', EVERY_15, T0 + 1_000, T0 + 120_000)).toEqual([]);
  });

  it('gives a run back to its worker when that comes back in time', async () => {
    await start({ a: {}, b: {} }, { schedule: '15 0 12 * * *', command: 'run 4000' });
    await cluster.clock.advanceTo(T0 + 16_000);
    crash('b');
    await cluster.clock.advance(20_000);
    await cluster.addNodes('b');
    await cluster.clock.advance(20_000);
    expect(recordAt(T0 + 15_000, '+on-b')).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 1 });
  });

  it('outlives its leader, also amid an expansion', async () => {
    await start({ a: {}, b: {}, c: {} });
    await cluster.clock.advance(20_000);
    const leader = cluster.leader()!;
    leader.crash();
    await cluster.clock.advance(60_000);
    const others = ['a', 'b', 'c'].filter((name) => name !== leader.name);
    expect(ran(T0 + 75_000)).toEqual(others);
    expect(cluster.accounting('job', EVERY_15, T0 + 1_000, T0 + 75_000)).toEqual([]);
  });

  it('judges overlap on each worker by itself', async () => {
    await start({ a: {}, b: {} }, { command: 'run 20000' });
    await cluster.clock.advance(50_000);
    expect(ran(T0 + 15_000)).toEqual(['a', 'b']);
    expect(recordAt(T0 + 30_000)).toMatchObject({ outcome: 'skipped' });
    expect(recordAt(T0 + 30_000, '+on-a')).toMatchObject({
      ...{ outcome: 'skipped', reason: 'overlap: job/2026-01-01T12:00:15.000Z+on-a was still running' },
    });
    expect(ran(T0 + 45_000)).toEqual(['a', 'b']);
  });

  it('is void with its children when the schedule changes', async () => {
    await start({ a: {}, b: {} }, { schedule: '10 0 12 * * *' });
    await cluster.clock.advance(2_000);
    expect(cluster.firings('job')).toHaveLength(3);
    await cluster.putJob('job', { schedule: '11 0 12 * * *', everywhere: true });
    await cluster.clock.advance(20_000);
    expect(ran(T0 + 10_000)).toEqual([]);
    expect(ran(T0 + 11_000)).toEqual(['a', 'b']);
    expect(cluster.records('job').size).toBe(3);
  });

  it('runs late once when no worker fitted at its time', async () => {
    await start({ a: {}, b: {} }, { schedule: '5 0 12 * * *', target: { with: { gpu: '*' } } });
    await cluster.clock.advance(30_000);
    await cluster.putJob('job', { schedule: '5 0 12 * * *', everywhere: true });
    await cluster.clock.advance(10_000);
    expect(ran(T0 + 5_000)).toEqual(['a', 'b']);
    expect(recordAt(T0 + 5_000)).toMatchObject({ outcome: 'succeeded' });
  });

  it('gives up a run that could not start within the deadline, on each worker', async () => {
    await start({ a: {}, b: {} }, { command: 'run 40000', overlap: 'queue', startDeadline: '5s' });
    await cluster.clock.advance(60_000);
    expect(recordAt(T0 + 30_000, '+on-a')).toMatchObject({
      ...{ outcome: 'missed', attempts: 0 },
      reason: expect.stringContaining('not started within 5s (startDeadline)') as string,
    });
    expect(recordAt(T0 + 30_000)).toMatchObject({
      outcome: 'missed',
      reason: 'on 2 workers: 2 missed (a, b)',
    });
  });

  it('waits its turn on each worker', async () => {
    await start({ a: {}, b: {} }, { command: 'run 20000', overlap: 'queue' });
    await cluster.clock.advance(80_000);
    expect(ran(T0 + 30_000)).toEqual(['a', 'b']);
    const starts = cluster.processes.filter(({ node }) => node === 'a').map(({ startedAtMs }) => startedAtMs);
    expect(starts).toEqual([15_000, 35_000, 55_000, 75_000].map((ms) => T0 + ms));
  });

  it('runs everywhere when it is asked for by hand, and ends everywhere when that is asked for', async () => {
    await start({ a: {}, b: {} }, { schedule: '@yearly', command: 'run 60000' });
    const id = { job: 'job', dueMs: T0 + 1_000, suffix: 'manual-1' };
    await cluster.putKey(cluster.keys.firing(id), encodeFiring(manualFiring('somebody')));
    await cluster.clock.advance(5_000);
    expect(ran(T0 + 1_000)).toEqual(['a', 'b']);
    const kill = { by: 'somebody', reason: 'enough', at: cluster.clock.now() };
    await cluster.putKey(cluster.keys.kill(id), encodeRecord(killRecordSchema, kill));
    await cluster.clock.advance(5_000);
    const killed = { outcome: 'killed', reason: 'by somebody: enough', manual: true };
    expect(recordAt(T0 + 1_000, '+manual-1.on-a')).toMatchObject(killed);
    expect(recordAt(T0 + 1_000, '+manual-1.on-b')).toMatchObject(killed);
    expect(recordAt(T0 + 1_000, '+manual-1')).toMatchObject({
      ...{ outcome: 'killed', manual: true, reason: 'on 2 workers: 2 killed (a, b)' },
    });
  });

  it('is left to the housekeeping and the planner when its job is deleted', async () => {
    await start({ a: {}, b: {} }, { command: 'run 60000' });
    await cluster.clock.advanceTo(T0 + 16_000);
    await cluster.deleteKey(cluster.keys.job('job'));
    await cluster.clock.advance(90_000);
    expect(cluster.firings('job')).toEqual([]);
  });
});
