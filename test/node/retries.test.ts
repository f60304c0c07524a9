import { afterEach, beforeEach, expect, it } from 'vitest';
import { formatRunId } from '../../src/etcd/keys.js';
import { retryDelayMs } from '../../src/run/retry-delay.js';
import { MemoryCluster } from '../support/memory-cluster.js';

/** One due time while a test looks. */
const ONCE = '@at 2026-01-01T12:00:20';
const DUE_MS = Date.UTC(2026, 0, 1, 12, 0, 20);

let cluster: MemoryCluster;

beforeEach(async () => {
  cluster = new MemoryCluster();
  await cluster.addNodes('a', 'b', 'c');
});

afterEach(() => {
  expect(cluster.violations()).toEqual([]);
});

const onlyRecord = (job: string) => [...cluster.records(job).values()][0];

it('retries after the exit codes of the job only', async () => {
  const retries = { attempts: 3, delay: '1s', exitCodes: [75] };
  await cluster.putJob('listed', { schedule: ONCE, command: 'run 10 exit 75', retries });
  await cluster.putJob('other', { schedule: ONCE, command: 'run 10 exit 1', retries });
  await cluster.putJob('later', { schedule: ONCE, command: 'run 10 exit 75 until 2', retries });
  await cluster.clock.advance(60_000);
  expect(onlyRecord('listed')).toMatchObject({ outcome: 'failed', attempts: 3, exitCode: 75 });
  expect(onlyRecord('other')).toMatchObject({ outcome: 'failed', attempts: 1, exitCode: 1 });
  expect(onlyRecord('later')).toMatchObject({ outcome: 'succeeded', attempts: 2, exitCode: 0 });
});

it('takes the exit codes of the job for success', async () => {
  const options = { schedule: ONCE, successExitCodes: [24], retries: { attempts: 2, delay: '1s' } };
  await cluster.putJob('good', { ...options, command: 'run 10 exit 24' });
  await cluster.putJob('bad', { ...options, command: 'run 10' });
  await cluster.clock.advance(60_000);
  expect(onlyRecord('good')).toMatchObject({ outcome: 'succeeded', attempts: 1, exitCode: 24 });
  expect(onlyRecord('bad')).toMatchObject({ outcome: 'failed', attempts: 2, reason: 'exit code 0' });
});

it('waits as long as the jitter of run and attempt says, whoever runs it', async () => {
  const jobs = ['one', 'two', 'three'];
  const retries = { attempts: 3, delay: '1s', backoff: 'fixed', jitter: '20s' };
  for (const job of jobs) await cluster.putJob(job, { schedule: ONCE, command: 'run 10 exit 1', retries });
  await cluster.clock.advance(120_000);
  const waits = jobs.map((job) => {
    const starts = cluster.processes
      .filter(({ runId }) => runId.startsWith(`${job}/`))
      .map(({ startedAtMs }) => startedAtMs);
    return starts.slice(1).map((at, index) => at - starts[index]! - 10);
  });
  const policy = {
    ...{ attempts: 3, delayMs: 1000, backoff: 'fixed' as const, maxDelayMs: 600_000 },
    ...{ jitterMs: 20_000, exitCodes: null },
  };
  const expected = jobs.map((job) => {
    const runId = formatRunId({ job, dueMs: DUE_MS, suffix: null });
    return [1, 2].map((failedAttempts) => retryDelayMs(policy, { runId, failedAttempts, exitCode: 1 }));
  });
  expect(waits).toEqual(expected);
  expect(new Set(waits.flat()).size).toBe(6);
});
