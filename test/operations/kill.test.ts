/** Ends and repetitions of runs, on whole nodes. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { formatRunId, parseRunId } from '../../src/etcd/keys.js';
import type { OperationContext } from '../../src/operations/context.js';
import { requestKill } from '../../src/operations/kill-run.js';
import { rerunRun } from '../../src/operations/rerun-run.js';
import { MemoryCluster } from '../support/memory-cluster.js';

let cluster: MemoryCluster;
let context: OperationContext;

beforeEach(() => {
  cluster = new MemoryCluster();
  context = { store: cluster.admin, keys: cluster.keys, clock: cluster.clock, actor: { name: 'ann' } };
});

afterEach(async () => {
  await cluster.stop();
  expect(cluster.violations()).toEqual([]);
});

async function done<T>(work: Promise<T>): Promise<T> {
  await cluster.clock.settle();
  return work;
}

it('ends a run that waits for a retry at once, not when the retry is due', async () => {
  await cluster.addNodes('w1', 'w2');
  const retries = { attempts: 3, delay: '1h' };
  await cluster.putJob('flaky', { schedule: '1 12 * * *', command: 'run 10 exit 1', retries });
  await cluster.clock.advance(65_000);
  const [runId] = cluster.firings('flaky');
  expect(runId).toBeDefined();
  await done(requestKill(context, parseRunId(runId!)!, 'enough'));
  await cluster.clock.advance(2_000);
  expect(cluster.records('flaky').get(runId!)).toMatchObject({
    ...{ outcome: 'killed', reason: 'by ann: enough', attempts: 1 },
  });
});

it('ends a running one for good, whatever its rules say of crashes and retries', async () => {
  await cluster.addNodes('w1', 'w2');
  const rules = { retries: { attempts: 3, delay: '1s' }, recovery: 'rerun' };
  await cluster.putJob('long', { schedule: '1 12 * * *', command: 'run 600000', ...rules });
  await cluster.clock.advance(65_000);
  const [runId] = cluster.firings('long');
  await done(requestKill(context, parseRunId(runId!)!, 'enough'));
  await cluster.clock.advance(120_000);
  expect(cluster.records('long').get(runId!)).toMatchObject({ outcome: 'killed', attempts: 1 });
  expect(cluster.firings('long')).toEqual([]);
  expect(cluster.processes.filter((process) => process.runId === runId)).toHaveLength(1);
});

it('ends a planned one before its time', async () => {
  await cluster.addNodes('w1', 'w2');
  await cluster.putJob('soon', { schedule: '*/10 * * * * *' });
  await cluster.clock.advance(12_000);
  const runId = cluster.firings('soon').at(-1)!;
  await done(requestKill(context, parseRunId(runId)!, 'not today'));
  await cluster.clock.advance(1_000);
  expect(cluster.records('soon').get(runId)).toMatchObject({ outcome: 'killed', attempts: 0 });
  await cluster.clock.advance(60_000);
  expect(cluster.processes.filter((process) => process.runId === runId)).toEqual([]);
});

it('runs the same due time again, beside the old record', async () => {
  await cluster.addNodes('w1');
  await cluster.putJob('report', { schedule: '1 12 * * *', command: 'run 10 exit 1' });
  await cluster.clock.advance(65_000);
  const [[runId, record]] = [...cluster.records('report')] as unknown as [[string, { outcome: string }]];
  expect(record.outcome).toBe('failed');
  await cluster.putJob('report', { schedule: '1 12 * * *', command: 'run 20' });
  await cluster.clock.advance(60_000);
  const again = formatRunId(await done(rerunRun(context, parseRunId(runId)!)));
  await cluster.clock.advance(1_000);
  const rerun = cluster.records('report').get(again);
  expect(rerun).toMatchObject({ outcome: 'succeeded', rerunOf: runId, manual: true });
  expect(rerun?.latenessMs).toBeLessThan(1_000);
  expect(cluster.records('report').get(runId)).toMatchObject({ outcome: 'failed', rerunOf: null });
  expect(cluster.processes.map(({ dueMs }) => dueMs)).toEqual(
    Array.from({ length: 2 }, () => parseRunId(runId)!.dueMs),
  );
});
