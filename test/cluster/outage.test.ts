/** All of etcd is gone for a minute, killed outright, and comes back with its data. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Cluster } from '../support/cluster.js';
import { startEtcdCluster } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';
import { isAlive } from '../support/worker-process.js';

const EVERY_SECOND = '* * * * * *';
const OUTAGE_MS = 60_000;
/** The default of `--lease-ttl`. */
const LEASE_TTL_MS = 10_000;
/** How often a long command shows that it lives, and how long it may then be unseen on a busy machine. */
const BEAT_SECONDS = 0.5;
const MAX_SILENCE_MS = 5_000;

/** A schedule that is due once, in some seconds. */
function soon(): string {
  const dueAt = new Date(Date.now() + 3_000);
  return `${dueAt.getUTCSeconds()} ${dueAt.getUTCMinutes()} ${dueAt.getUTCHours()} * * *`;
}

const everySecond = {
  once: { misfire: 'once', overlap: 'skip' },
  skip: { misfire: 'skip', overlap: 'skip' },
  all: { misfire: 'all', overlap: 'skip' },
  'once-allow': { misfire: 'once', overlap: 'allow' },
  'skip-allow': { misfire: 'skip', overlap: 'allow' },
  'all-allow': { misfire: 'all', overlap: 'allow', recovery: 'abandon' },
} as const;

it('is survived: abandon commands go on, rerun commands end in time, and no due time is lost', async () => {
  const etcd = await startEtcdCluster(3);
  const cluster = new Cluster({ endpoints: etcd.endpoints });
  try {
    await cluster.start('w-1', 'w-2', 'w-3');
    for (const [job, policies] of Object.entries(everySecond)) {
      await cluster.putJob(job, { schedule: EVERY_SECOND, command: cluster.note('start'), ...policies });
    }
    const beats = (seconds: number): string =>
      `end=$(($(date +%s) + ${seconds})); while [ $(date +%s) -lt $end ]; do ${cluster.note('beat')}; sleep ${BEAT_SECONDS}; done`;
    const longer = OUTAGE_MS / 1_000 + 25;
    await cluster.putJob('long-abandon', {
      schedule: soon(),
      recovery: 'abandon',
      command: `${cluster.note('start')}\n${beats(longer)}\n${cluster.note('end')}`,
    });
    await cluster.putJob('long-rerun', {
      schedule: soon(),
      command: `${cluster.note('start')}\n[ $ETCRON_ATTEMPT = 1 ] && { ${beats(longer)}; }\n${cluster.note('end')}`,
    });
    const seen = (job: string, what: string): ReturnType<Cluster['evidence']> =>
      cluster.evidence().filter((one) => one.runId.startsWith(`${job}/`) && one.what === what);
    await waitUntil(
      () =>
        seen('long-abandon', 'beat').length > 2 &&
        seen('long-rerun', 'beat').length > 2 &&
        Object.keys(everySecond).every((job) => seen(job, 'start').length > 2),
      { what: 'everything to run' },
    );
    // Whoever looks back sees some seconds in which all was well.
    const fromMs = Date.now() - 1_000;
    await pause(3_000);

    const killedMs = Date.now();
    await Promise.all(etcd.members.map((member) => member.kill('SIGKILL')));
    const downMs = Date.now();
    await pause(OUTAGE_MS);
    const upMs = Date.now();
    await Promise.all(etcd.members.map((member) => member.restart({ waitHealthy: false })));
    await Promise.all(etcd.members.map((member) => member.waitHealthy()));

    const rerun = await cluster.recordOf('long-rerun');
    const abandon = await cluster.recordOf(
      'long-abandon',
      ({ outcome, late }) => outcome !== 'lost' || late !== null,
    );
    expect(cluster.workers.every((worker) => isAlive(worker))).toBe(true);

    // The one went on through all of it, to its own end, and was never started again.
    expect(seen('long-abandon', 'start')).toHaveLength(1);
    expect(seen('long-abandon', 'end')).toHaveLength(1);
    const alive = seen('long-abandon', 'beat').map(({ atMs }) => atMs);
    const gaps = alive.map((atMs, index) => atMs - (alive[index - 1] ?? atMs));
    expect(Math.max(...gaps)).toBeLessThan(MAX_SILENCE_MS);
    expect(alive[0]).toBeLessThan(killedMs);
    expect(alive.at(-1)).toBeGreaterThan(upMs);
    const { outcome, late } = abandon;
    expect(outcome === 'lost' ? late?.outcome : outcome).toBe('succeeded');
    expect(abandon).toMatchObject({ attempts: 1 });

    // The other was ended while its lease, renewed just before the outage at most, still stood.
    const last = Math.max(...seen('long-rerun', 'beat').map(({ atMs }) => atMs));
    expect(last).toBeGreaterThan(killedMs);
    expect(last - downMs, 'ms for which the rerun command went on without etcd').toBeLessThan(LEASE_TTL_MS);
    expect(seen('long-rerun', 'start').map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(seen('long-rerun', 'start')[1]!.atMs).toBeGreaterThan(upMs);
    expect(rerun).toMatchObject({ outcome: 'succeeded', attempts: 2, crashes: 1 });

    const throughMs = Date.now() + 3_000;
    for (const job of Object.keys(everySecond)) {
      await cluster.ended(job, throughMs);
      expect(await cluster.accounting(job, EVERY_SECOND, fromMs, throughMs)).toEqual([]);
      // Back at work, as before.
      expect(seen(job, 'start').filter(({ dueMs }) => dueMs > upMs + LEASE_TTL_MS).length).toBeGreaterThan(2);
    }
    expect(cluster.violations()).toEqual([]);
  } catch (error) {
    console.error(cluster.complaints());
    throw error;
  } finally {
    await cluster.stop();
    await etcd.stop();
  }
});
