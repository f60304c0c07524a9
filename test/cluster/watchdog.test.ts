/** Where the lease lasts ten minutes, what happens within the two that a test waits is not its expiry. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findMarkedProcesses } from '../../src/run/process-tree.js';
import { Cluster, type Worker } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';
import { watchdogOf } from '../support/worker-process.js';

let etcd: RunningEtcd;

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(() => etcd.stop());

async function withCluster(leaseTtl: string, work: (cluster: Cluster) => Promise<void>): Promise<void> {
  const cluster = new Cluster({ endpoints: [etcd.endpoint], workerArgs: ['--lease-ttl', leaseTtl] });
  try {
    await work(cluster);
    expect(cluster.violations()).toEqual([]);
  } finally {
    await cluster.stop();
  }
}

/** A schedule that is due once, in some seconds. */
function soon(): string {
  const dueAt = new Date(Date.now() + 4_000);
  return `${dueAt.getUTCSeconds()} ${dueAt.getUTCMinutes()} ${dueAt.getUTCHours()} * * *`;
}

/** Notes its start, then a line every 20 ms for as long as it lives: the first attempt for ever, the next ones briefly. */
function longCommand(cluster: Cluster): string {
  const alive = `while :; do ${cluster.note('alive-$$')}; sleep 0.02; done`;
  return [
    `${cluster.note('start')}`,
    `[ "$ETCRON_ATTEMPT" = 1 ] || exit 0`,
    `echo $ETCRON_RUN_MARKER > ${cluster.folder}/marker`,
    `setsid sh -c '${alive}' > /dev/null 2>&1 &`,
    alive,
  ].join('\n');
}

async function holderOf(cluster: Cluster, job: string): Promise<Worker> {
  return waitUntil(
    async () => {
      const [firing] = (await cluster.firings(job)).values();
      return cluster.workers.find(({ name }) => firing?.node?.startsWith(`${name}-`));
    },
    { what: 'the worker that runs it' },
  );
}

/** Both branches of the tree live. */
async function running(cluster: Cluster): Promise<void> {
  await waitUntil(
    () =>
      new Set(cluster.evidence().flatMap(({ what }) => (what.startsWith('alive') ? [what] : []))).size === 2,
    { what: 'the tree to run' },
  );
}

/** In the order in which they were written. */
function attempts(cluster: Cluster): number[] {
  const all = cluster.evidence().map(({ attempt }) => attempt);
  return all.filter((attempt, index) => attempt !== all[index - 1]);
}

describe('a worker that is killed in mid-run', () => {
  it('is replaced long before its lease expires, and never while a process of it lives', () =>
    withCluster('600s', async (cluster) => {
      await cluster.start('w-1', 'w-2');
      await cluster.putJob('long', { schedule: soon(), command: longCommand(cluster) });
      await running(cluster);
      const victim = await holderOf(cluster, 'long');
      process.kill(victim.pid, 'SIGKILL');
      const record = await cluster.recordOf('long');
      expect(record).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 1 });
      expect(record.nodeId?.startsWith(victim.name)).toBe(false);
      // The first tree wrote its last line before the second attempt wrote its first one.
      expect(attempts(cluster)).toEqual([1, 2]);
      const marker = readFileSync(`${cluster.folder}/marker`, 'utf8').trim();
      expect(await findMarkedProcesses(marker)).toEqual([]);
    }));
});

describe('a worker that is frozen past its trust', () => {
  it('finds its run ended, and not taken for a failure, when it wakes up', () =>
    withCluster('10s', async (cluster) => {
      const [worker] = (await cluster.start('w-1')) as [Worker];
      await cluster.putJob('long', { schedule: soon(), command: longCommand(cluster) });
      await running(cluster);
      const marker = readFileSync(`${cluster.folder}/marker`, 'utf8').trim();
      process.kill(worker.pid, 'SIGSTOP');
      await waitUntil(async () => (await findMarkedProcesses(marker)).length === 0, {
        what: 'the tree to end',
      });
      process.kill(worker.pid, 'SIGCONT');
      expect(await cluster.recordOf('long')).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 1 });
      expect(attempts(cluster)).toEqual([1, 2]);
    }));
});

describe('a watchdog', () => {
  it('that is killed is replaced; one whose worker stops goes with it', () =>
    withCluster('600s', async (cluster) => {
      const [worker] = (await cluster.start('w-1')) as [Worker];
      const first = watchdogOf(worker)!;
      process.kill(first, 'SIGKILL');
      const second = await waitUntil(
        () => {
          const pid = watchdogOf(worker);
          return pid !== first ? pid : null;
        },
        { what: 'another watchdog' },
      );
      expect(worker.log()).toContain('the watchdog ended');
      process.kill(worker.pid, 'SIGTERM');
      expect(await worker.exited).toEqual({ code: 0, signal: null });
      expect(() => process.kill(second, 0)).toThrow('ESRCH');
    }));
});
