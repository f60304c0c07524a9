/** Runs for past due times, as `etcron backfill` asks for them, among those of the schedule. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { formatRunId, type FiringId } from '../../src/etcd/keys.js';
import { encodeFiring, manualFiring } from '../../src/view/firing-record.js';
import { MemoryCluster } from '../support/memory-cluster.js';

const SUFFIX = 'backfill-20260101T120000Z-1a2b';
const SCHEDULE = '*/10 * * * * *';

let cluster: MemoryCluster;

beforeEach(async () => {
  cluster = new MemoryCluster();
  await cluster.addNodes('a', 'b', 'c');
});

afterEach(() => {
  expect(cluster.violations()).toEqual([]);
  expect(cluster.firings('job').filter((runId) => runId.includes('backfill'))).toEqual([]);
});

async function ask(...minutesAgo: number[]): Promise<string[]> {
  const ids = minutesAgo.map((minutes): FiringId => {
    const dueMs = Math.floor(cluster.clock.now() / 60_000) * 60_000 - minutes * 60_000;
    return { job: 'job', dueMs, suffix: SUFFIX };
  });
  for (const id of ids) {
    const firing = { ...manualFiring('me'), misfire: true, notBefore: cluster.clock.now() };
    await cluster.putKey(cluster.keys.firing(id), encodeFiring(firing));
  }
  return ids.map(formatRunId);
}

it.each(['skip', 'queue'])(
  'under overlap: %s they wait for a slot, oldest first, and disturb no due time',
  async (overlap) => {
    await cluster.putJob('job', { schedule: SCHEDULE, command: 'run 4000', overlap, maxRuns: 20 });
    const fromMs = cluster.clock.now();
    await cluster.clock.advance(11_000);
    const asked = await ask(60, 59, 58);
    await cluster.clock.advance(100_000);
    const ran = cluster.processes.filter(({ runId }) => runId.includes('backfill'));
    expect(ran.map(({ runId }) => runId)).toEqual(asked);
    expect(asked.map((runId) => cluster.records('job').get(runId)?.outcome)).toEqual(
      Array(3).fill('succeeded'),
    );
    expect(cluster.accounting('job', SCHEDULE, fromMs, cluster.clock.now() - 20_000)).toEqual([]);
    // Neither a delay of the due time, nor one of the twenty.
    const records = asked.map((runId) => cluster.records('job').get(runId)!);
    expect(Math.max(...records.map(({ latenessMs }) => latenessMs!))).toBeLessThan(60_000);
    const { runs } = JSON.parse(cluster.etcd.get(cluster.keys.count('job'))!.value.toString()) as {
      runs: number;
    };
    const ofSchedule = cluster.processes.filter(({ runId }) => !runId.includes('+'));
    expect(runs).toBe(new Set(ofSchedule.map(({ runId }) => runId)).size);
  },
);

it('under overlap: replace they end like any run when the job is due again, and replace nothing themselves', async () => {
  await cluster.putJob('job', { schedule: '*/20 * * * * *', command: 'run 9000', overlap: 'replace' });
  await cluster.clock.advance(21_000);
  const asked = await ask(60, 59);
  await cluster.clock.advance(60_000);
  const outcomes = asked.map((runId) => cluster.records('job').get(runId)?.outcome);
  expect(outcomes).toEqual(['succeeded', 'killed']);
  const ofSchedule = [...cluster.records('job')].filter(([runId]) => !runId.includes('+'));
  expect(new Set(ofSchedule.map(([, { outcome }]) => outcome))).toEqual(new Set(['succeeded']));
});

it('run on every worker where the job does', async () => {
  await cluster.putJob('job', { schedule: '@yearly', everywhere: true });
  const [asked] = await ask(60);
  await cluster.clock.advance(30_000);
  const ran = cluster.processes.map(({ node }) => node).sort();
  expect(ran).toEqual(['a', 'b', 'c']);
  expect(cluster.records('job').get(asked!)).toMatchObject({ outcome: 'succeeded' });
});

it('go on after their worker died, and end when the job is deleted', async () => {
  await cluster.putJob('job', { schedule: '@yearly', command: 'run 20000' });
  const asked = await ask(60, 59);
  await cluster.clock.advance(2_000);
  const name = cluster.processes[0]!.node;
  cluster.nodes.find((node) => node.name === name)!.crash();
  await cluster.clock.advance(40_000);
  expect(cluster.records('job').get(asked[0]!)).toMatchObject({ outcome: 'succeeded', attempts: 2 });
  await cluster.deleteKey(cluster.keys.job('job'));
  await cluster.clock.advance(60_000);
  expect(cluster.firings('job')).toEqual([]);
});
