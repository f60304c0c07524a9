import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

const EVERY_SECOND = '* * * * * *';

let etcd: RunningEtcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd.stop();
});

async function withCluster(work: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = new Cluster({ endpoints: [etcd.endpoint] });
  try {
    await work(cluster);
    expect(cluster.violations()).toEqual([]);
  } catch (error) {
    console.error(cluster.complaints());
    throw error;
  } finally {
    await cluster.stop();
  }
}

describe.concurrent('workers that are killed', () => {
  it('lose no due time of 20 jobs that are due every second', () =>
    withCluster(async (cluster) => {
      await cluster.start('w-1', 'w-2', 'w-3');
      const jobs = Array.from({ length: 20 }, (_, index) => `job-${index}`);
      const retries = { attempts: 1 };
      for (const job of jobs) {
        await cluster.putJob(job, {
          schedule: EVERY_SECOND,
          command: cluster.note('start'),
          overlap: 'allow',
          retries,
        });
      }
      await waitUntil(async () => (await cluster.records()).size >= 20, { what: 'the first runs' });
      const fromMs = Date.now();
      const goesOn = async (): Promise<void> => {
        const { length } = cluster.evidence();
        await waitUntil(() => cluster.evidence().length > length + 40, { what: 'runs after the kill' });
      };
      let names = 3;
      const killAndReplace = async (pick: 'leader' | 'other'): Promise<void> => {
        const leader = await cluster.leader();
        const alive = cluster.workers.filter(
          ({ child }) => child.exitCode === null && child.signalCode === null,
        );
        const victim = pick === 'leader' ? leader : alive.find((worker) => worker !== leader)!;
        process.kill(victim.pid, 'SIGKILL');
        await victim.exited;
        await goesOn();
        names += 1;
        await cluster.start(`w-${names}`);
      };
      await pause(8_000);
      await killAndReplace('leader');
      await pause(12_000);
      await killAndReplace('other');
      await pause(12_000);
      await killAndReplace('leader');
      await waitUntil(() => Date.now() > fromMs + 60_000, { what: 'a minute', timeoutMs: 90_000 });

      const throughMs = Date.now();
      for (const job of jobs) await cluster.ended(job, throughMs);
      for (const job of jobs)
        expect(await cluster.accounting(job, EVERY_SECOND, fromMs, throughMs)).toEqual([]);
      const outcomes = new Set([...(await cluster.records()).values()].map(({ outcome }) => outcome));
      expect([...outcomes]).toEqual(['succeeded']);
      // Whatever etcron says it ran did run, as often as it says.
      const starts = new Set(cluster.evidence().map(({ runId }) => runId));
      for (const runId of (await cluster.records()).keys()) expect(starts).toContain(runId);
    }));

  it('have their long runs started again elsewhere, or recorded as lost', () =>
    withCluster(async (cluster) => {
      await cluster.start('w-1', 'w-2', 'w-3');
      const dueAt = new Date(Date.now() + 5_000);
      const schedule = `${dueAt.getUTCSeconds()} ${dueAt.getUTCMinutes()} ${dueAt.getUTCHours()} * * *`;
      const command = `${cluster.note('start')}; sleep 30; ${cluster.note('end')}`;
      for (const recovery of ['rerun', 'abandon']) {
        await cluster.putJob(recovery, { schedule, command, recovery });
      }
      await waitUntil(() => cluster.evidence().length === 2, { what: 'both runs to start' });
      for (const recovery of ['rerun', 'abandon']) {
        const [[runId, firing] = []] = await cluster.firings(recovery);
        expect(runId).toBeDefined();
        const victim = cluster.workers.find(({ name }) => firing?.node?.startsWith(`${name}-`))!;
        if (victim.child.signalCode === null) process.kill(victim.pid, 'SIGKILL');
      }
      const again = await cluster.recordOf('rerun');
      expect(again).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 1 });
      expect(await cluster.recordOf('abandon')).toMatchObject({ outcome: 'lost', attempts: 1 });
      const starts = cluster.evidence().filter(({ what }) => what === 'start');
      expect(starts.filter(({ runId }) => runId.startsWith('rerun/')).map(({ attempt }) => attempt)).toEqual([
        1, 2,
      ]);
      expect(starts.filter(({ runId }) => runId.startsWith('abandon/'))).toHaveLength(1);
    }));

  it('come back after minutes in which nobody ran, and each misfire policy does what it says', () =>
    withCluster(async (cluster) => {
      const schedule = '*/5 * * * * *';
      const command = cluster.note('start');
      await cluster.putJob('once', { schedule, command, misfire: 'once' });
      await cluster.putJob('skip', { schedule, command, misfire: 'skip' });
      await cluster.putJob('all', { schedule, command, misfire: 'all' });
      const first = await cluster.start('w-1', 'w-2');
      await waitUntil(() => cluster.evidence().length >= 6, { what: 'the first runs' });
      // Before the first leader there was nobody whose account could be asked for.
      const fromMs = Date.now();
      for (const { pid } of first) process.kill(pid, 'SIGKILL');
      await Promise.all(first.map(({ exited }) => exited));
      const downMs = Date.now();
      await pause(125_000);
      const upMs = Date.now();
      await cluster.start('w-3', 'w-4');
      const throughMs = Date.now() + 15_000;
      for (const job of ['once', 'skip', 'all']) await cluster.ended(job, throughMs);
      for (const job of ['once', 'skip', 'all']) {
        expect(await cluster.accounting(job, schedule, fromMs, throughMs)).toEqual([]);
      }
      const late = (job: string): number =>
        cluster
          .evidence()
          .filter(
            ({ runId, dueMs, atMs }) =>
              runId.startsWith(`${job}/`) && dueMs > downMs && dueMs < upMs && atMs > upMs,
          )
          .filter(({ dueMs, atMs }) => atMs - dueMs > 10_000).length;
      expect(late('skip')).toBe(0);
      expect(late('once')).toBe(1);
      // 125 s hold 25 due times; the last two or three are not late enough to count.
      expect(late('all')).toBeGreaterThanOrEqual(21);
      const missed = [...(await cluster.records('skip')).values()].filter(
        ({ outcome }) => outcome === 'missed',
      );
      expect(missed.reduce((sum, record) => sum + record.missed!.count, 0)).toBeGreaterThanOrEqual(21);
      expect(missed[0]!.reason).toContain('misfire policy: skip');
    }));
});
