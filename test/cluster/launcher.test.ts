/** Launchers that are killed and frozen beside real workers: how often commands start, by their own evidence. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Cluster, type Worker } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';
import { launcherOf } from '../support/worker-process.js';

/** A lease that lasts ten minutes: what happens within the two that a test waits is not its expiry. */
const LONG_LEASE = ['--lease-ttl', '600s'];

let etcd: RunningEtcd;

beforeAll(async () => {
  etcd = await startEtcd();
});
afterAll(() => etcd.stop());

async function withCluster(work: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = new Cluster({ endpoints: [etcd.endpoint], workerArgs: LONG_LEASE });
  try {
    await work(cluster);
    expect(cluster.violations()).toEqual([]);
  } finally {
    await cluster.stop();
  }
}

/** A schedule that is due once, in some seconds. */
function soon(): string {
  const dueAt = new Date(Date.now() + 3_000);
  return `${dueAt.getUTCSeconds()} ${dueAt.getUTCMinutes()} ${dueAt.getUTCHours()} * * *`;
}

/** Notes its start, then lines for as long as it lives: the first attempt for ever, the next ones not at all. */
function longCommand(cluster: Cluster): string {
  return [
    cluster.note('start'),
    '[ "$ETCRON_ATTEMPT" = 1 ] || exit 0',
    `while :; do ${cluster.note('alive')}; sleep 0.02; done`,
  ].join('\n');
}

const startsOf = (cluster: Cluster, job: string): number[] =>
  cluster
    .evidence()
    .filter(({ what, runId }) => what === 'start' && runId.startsWith(`${job}/`))
    .map(({ attempt }) => attempt);

async function alive(cluster: Cluster, ...jobs: string[]): Promise<void> {
  const lives = (job: string): boolean =>
    cluster.evidence().some(({ what, runId }) => what === 'alive' && runId.startsWith(`${job}/`));
  await waitUntil(() => jobs.every(lives), { what: 'the commands to run' });
}

/** The attempts in the order in which they wrote: no earlier one may write after a later one. */
function attemptsOf(cluster: Cluster, job: string): number[] {
  const all = cluster.evidence().filter(({ runId }) => runId.startsWith(`${job}/`));
  const attempts = all.map(({ attempt }) => attempt);
  return attempts.filter((attempt, index) => attempt !== attempts[index - 1]);
}

it('that is killed takes its commands with it: one is run again, the other is lost', () =>
  withCluster(async (cluster) => {
    const [worker] = (await cluster.start('w-1')) as [Worker];
    const schedule = soon();
    await cluster.putJob('again', { schedule, command: longCommand(cluster) });
    await cluster.putJob('once', { schedule, command: longCommand(cluster), recovery: 'abandon' });
    await alive(cluster, 'again', 'once');
    const first = launcherOf(worker)!;
    process.kill(first, 'SIGKILL');
    expect(await cluster.recordOf('again')).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 1 });
    const { outcome, attempts, reason } = await cluster.recordOf('once');
    expect([outcome, attempts, reason]).toEqual(['lost', 1, expect.stringContaining('launcher died')]);
    expect([startsOf(cluster, 'again'), startsOf(cluster, 'once')]).toEqual([[1, 2], [1]]);
    expect(attemptsOf(cluster, 'again')).toEqual([1, 2]);
    const second = await waitUntil(() => launcherOf(worker), { what: 'another launcher' });
    expect(second).not.toBe(first);
  }));

it('that is frozen over due times keeps none of them from starting, once', () =>
  withCluster(async (cluster) => {
    const [worker] = (await cluster.start('w-1')) as [Worker];
    const job = { schedule: '* * * * * *', command: cluster.note('start'), overlap: 'allow' };
    await cluster.putJob('tick', job);
    await cluster.putJob('once', { ...job, recovery: 'abandon' });
    const recorded = (count: number): Promise<unknown> =>
      waitUntil(async () => (await cluster.records('tick')).size >= count, { what: `${count} runs` });
    await recorded(1);
    const launcher = launcherOf(worker)!;
    process.kill(launcher, 'SIGSTOP');
    const before = (await cluster.records('tick')).size;
    await recorded(before + 3);
    process.kill(launcher, 'SIGCONT');
    await recorded(before + 5);
    await cluster.putJob('tick', { schedule: '@yearly', command: 'true' });
    await cluster.putJob('once', { schedule: '@yearly', command: 'true', recovery: 'abandon' });
    const throughMs = Date.now();
    for (const name of ['tick', 'once']) {
      await cluster.ended(name, throughMs);
      const records = [...(await cluster.records(name)).values()];
      expect(records.map(({ outcome, attempts }) => `${outcome} ${attempts}`)).toEqual(
        records.map(() => 'succeeded 1'),
      );
      expect(startsOf(cluster, name)).toHaveLength(records.length);
    }
    expect(launcherOf(worker)).toBe(launcher);
  }));

it('that is frozen when its worker is killed starts nothing any more, and does not delay the next attempt', () =>
  withCluster(async (cluster) => {
    await cluster.start('w-1', 'w-2');
    await cluster.putJob('long', { schedule: soon(), command: longCommand(cluster) });
    await alive(cluster, 'long');
    const victim = await waitUntil(
      async () => {
        const [firing] = (await cluster.firings('long')).values();
        return cluster.workers.find(({ name }) => firing?.node?.startsWith(`${name}-`));
      },
      { what: 'the worker that runs it' },
    );
    process.kill(launcherOf(victim)!, 'SIGSTOP');
    process.kill(victim.pid, 'SIGKILL');
    expect(await cluster.recordOf('long')).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 1 });
    expect(attemptsOf(cluster, 'long')).toEqual([1, 2]);
  }));
