import { afterEach, expect, it } from 'vitest';
import { MemoryCluster } from '../support/memory-cluster.js';

const EVERY_SECOND = '* * * * * *';

let cluster: MemoryCluster;

afterEach(() => {
  expect(cluster.violations()).toEqual([]);
});

it('a pause with an end: not due before, due from then on without anybody, nothing made up for', async () => {
  cluster = new MemoryCluster({});
  const { clock } = cluster;
  await cluster.addNodes('a', 'b');
  await cluster.putJob('job', { schedule: EVERY_SECOND });
  await clock.advance(30_500);
  const pausedAt = clock.now();
  const untilMs = Math.ceil(pausedAt / 1_000) * 1_000 + 60_000;
  await cluster.putJob('job', {
    schedule: EVERY_SECOND,
    misfire: 'all',
    paused: { until: new Date(untilMs).toISOString(), reason: 'test' },
  });
  await clock.advance(1_000);
  // What was planned before is taken back, and nothing stands in its place.
  expect(cluster.firings('job')).toEqual([]);
  const before = cluster.processes.length;
  await clock.advance(untilMs - clock.now() - 500);
  expect(cluster.processes).toHaveLength(before);
  await clock.advance(30_000);
  const after = cluster.processes.slice(before);
  expect(after[0]!.dueMs).toBe(untilMs);
  expect(after[0]!.startedAtMs).toBe(untilMs);
  expect(cluster.accounting('job', EVERY_SECOND, untilMs - 1, clock.now() - 1_000)).toEqual([]);
  const outcomes = [...cluster.records('job').values()].map(({ outcome }) => outcome);
  expect(new Set(outcomes)).toEqual(new Set(['succeeded']));
});
