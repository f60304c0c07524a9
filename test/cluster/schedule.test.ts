/** When jobs are due, on real workers: what the schedules, bounds and lives of jobs say. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseJobValue, scheduleOf } from '../../src/jobs/index.js';
import { jitteredStart } from '../../src/plan/jitter.js';
import { Cluster, type Evidence } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

let etcd: RunningEtcd;
let cluster: Cluster;

beforeAll(async () => {
  etcd = await startEtcd();
  cluster = new Cluster({ endpoints: [etcd.endpoint], workerArgs: ['--lease-ttl', '5s'] });
  await cluster.start('w-1', 'w-2');
});

afterAll(async () => {
  await cluster.stop();
  await etcd.stop();
});

function ran(job: string): Evidence[] {
  return cluster.evidence().filter(({ runId }) => runId.startsWith(`${job}/`));
}

function enough(job: string, count: number): Evidence[] | undefined {
  return ran(job).length >= count ? ran(job) : undefined;
}

async function exists(job: string): Promise<boolean> {
  const { kvs } = await cluster.store.range({
    start: cluster.keys.job(job),
    end: `${cluster.keys.job(job)}\0`,
  });
  return kvs.length > 0;
}

it('runs what is due by one of several expressions, each start delayed by its own jitter', async () => {
  const definition = {
    schedule: ['*/4 * * * * *', '1/4 * * * * *'],
    jitter: '900ms',
    command: cluster.note('run'),
    overlap: 'allow',
  };
  await cluster.putJob('spread', definition);
  const due = await waitUntil(() => enough('spread', 6), { what: 'six runs' });
  const parsed = parseJobValue('spread', JSON.stringify(definition));
  if (!parsed.ok) throw new Error('the job is broken');
  for (const { dueMs, atMs } of due) {
    expect([0, 1]).toContain((dueMs / 1_000) % 4);
    expect(atMs).toBeGreaterThanOrEqual(jitteredStart(parsed.job, scheduleOf(parsed.job), dueMs)!);
  }
  expect(new Set(due.map(({ dueMs }) => (dueMs / 1_000) % 4)).size).toBe(2);
});

it('runs a job for one moment once, and removes it when it is over', async () => {
  const at = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 3_000);
  const command = cluster.note('run');
  await cluster.putJob('once', { schedule: `@at ${at.toISOString()}`, command, removeAfter: '1s' });
  await waitUntil(async () => !(await exists('once')), { what: 'the job to be removed', timeoutMs: 60_000 });
  expect(ran('once').map(({ dueMs }) => dueMs)).toEqual([at.getTime()]);
  expect([...(await cluster.records('once')).values()]).toMatchObject([{ outcome: 'succeeded' }]);
});

it('is due again when its pause ends, and not before', async () => {
  const untilMs = Math.ceil(Date.now() / 1_000) * 1_000 + 4_000;
  const paused = { reason: 'later', until: new Date(untilMs).toISOString() };
  await cluster.putJob('rested', { schedule: '* * * * * *', command: cluster.note('run'), paused });
  const runs = await waitUntil(() => enough('rested', 2), { what: 'two runs' });
  expect(Math.min(...runs.map(({ dueMs }) => dueMs))).toBeGreaterThanOrEqual(untilMs);
});

it('records what could not start within its deadline as missed, and why', async () => {
  const definition = { schedule: '*/2 * * * * *', command: cluster.note('run'), startDeadline: '1s' };
  await cluster.putJob('late', { ...definition, limits: ['closed'] });
  const missed = async (): Promise<string | undefined> =>
    [...(await cluster.records('late')).values()].find(({ outcome }) => outcome === 'missed')?.reason ??
    undefined;
  expect(await waitUntil(missed, { what: 'a missed due time', timeoutMs: 60_000 })).toBe(
    'not started within 1s (startDeadline): the limit closed of 0 was full',
  );
  expect(ran('late')).toEqual([]);
});
