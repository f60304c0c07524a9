import { afterEach, beforeEach, expect, it } from 'vitest';
import { parseRunId } from '../../src/etcd/keys.js';
import { jitteredStart } from '../../src/plan/jitter.js';
import { parseSchedule } from '../../src/schedule/index.js';
import { MemoryCluster } from '../support/memory-cluster.js';

const MINUTELY = '* * * * *';

let cluster: MemoryCluster;

beforeEach(async () => {
  cluster = new MemoryCluster();
  await cluster.addNodes('a', 'b', 'c');
});

afterEach(() => {
  expect(cluster.violations()).toEqual([]);
});

/** How long after its jittered start each process of the job began, in ms. */
function delays(name: string, jitterMs: number): number[] {
  return cluster.processes
    .filter(({ runId }) => runId.startsWith(`${name}/`))
    .map(
      ({ startedAtMs, dueMs }) =>
        startedAtMs - jitteredStart({ name, jitterMs }, parseSchedule(MINUTELY, 'UTC'), dueMs)!,
    );
}

it('starts each run at its own moment after the due time, and is on time with it', async () => {
  const names = Array.from({ length: 10 }, (_, index) => `job-${index}`);
  for (const name of names) await cluster.putJob(name, { schedule: MINUTELY, jitter: '45s' });
  await cluster.clock.advance(60_000);
  const from = cluster.clock.now();
  await cluster.clock.advance(600_000);
  for (const name of names) {
    expect(cluster.accounting(name, MINUTELY, from, cluster.clock.now() - 60_000)).toEqual([]);
    expect(delays(name, 45_000).length).toBeGreaterThanOrEqual(9);
    expect(new Set(delays(name, 45_000))).toEqual(new Set([0]));
  }
  const records = [...cluster.records().values()];
  expect(new Set(records.map(({ outcome }) => outcome))).toEqual(new Set(['succeeded']));
  expect(new Set(records.map(({ latenessMs }) => latenessMs))).toEqual(new Set([0]));
  const offsets = new Set(cluster.processes.map(({ startedAtMs, dueMs }) => startedAtMs - dueMs));
  expect(offsets.size).toBeGreaterThan(80);
});

it('keeps the moment when the leader dies, and when the worker that waits with the claim does', async () => {
  await cluster.putJob('tick', { schedule: MINUTELY, jitter: '45s' });
  const from = cluster.clock.now();
  for (let round = 0; round < 3; round += 1) {
    await cluster.clock.advance(70_000);
    const leader = cluster.leader()!;
    leader.crash();
    await cluster.addNodes(`late-${round}`);
  }
  await cluster.clock.advance(120_000);
  expect(cluster.accounting('tick', MINUTELY, from, cluster.clock.now() - 60_000)).toEqual([]);
  expect(Math.min(...delays('tick', 45_000))).toBe(0);
  expect([...cluster.records('tick').values()].map(({ outcome }) => outcome)).not.toContain('missed');
});

it('goes through the misfire policy from the delayed start on, not from the due time', async () => {
  await cluster.putJob('tick', { schedule: MINUTELY, jitter: '45s', misfire: 'skip' });
  await cluster.clock.advance(300_000);
  expect(
    cluster.accounting('tick', MINUTELY, cluster.clock.now() - 290_000, cluster.clock.now() - 60_000),
  ).toEqual([]);
  expect([...cluster.records('tick').values()].map(({ outcome }) => outcome)).not.toContain('missed');
  const latest = Math.max(...cluster.processes.map(({ startedAtMs, dueMs }) => startedAtMs - dueMs));
  expect(latest).toBeGreaterThan(10_000);
});

it('gives the new moment to what still waits when the jitter is changed', async () => {
  await cluster.putJob('tick', { schedule: '0 * * * *', jitter: '50m' });
  await cluster.clock.advance(3_600_000);
  const hourly = parseSchedule('0 * * * *', 'UTC');
  const waiting = cluster.firings('tick').map((runId) => parseRunId(runId)!.dueMs);
  const [dueMs] = waiting;
  const first = jitteredStart({ name: 'tick', jitterMs: 3_000_000 }, hourly, dueMs!)!;
  expect(waiting).toHaveLength(1);
  expect(cluster.clock.now()).toBeLessThan(first);
  await cluster.putJob('tick', { schedule: '0 * * * *', jitter: '59m' });
  await cluster.clock.advance(3_600_000);
  const second = jitteredStart({ name: 'tick', jitterMs: 3_540_000 }, hourly, dueMs!)!;
  const process = cluster.processes.find((one) => one.dueMs === dueMs);
  expect(second).not.toBe(first);
  expect(process?.startedAtMs).toBe(Math.max(second, process!.dueMs));
});
