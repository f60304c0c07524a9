/** Thousands of jobs on real workers: hardly any is due, and whoever leads plans those that are. */
import { expect, it } from 'vitest';
import { Cluster } from '../support/cluster.js';
import { startEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

const COUNT = 2_000;
const JOBS_PER_TXN = 100;
const EVERY_SECOND = '* * * * * *';
const ZONES = ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Antarctica/Troll'];
/** Half a year from now. */
const MONTH = ((new Date().getUTCMonth() + 6) % 12) + 1;
const SCHEDULES = ['0 3 * M *', '30 4 1 M *', '0 0 * M sun', 'H 5 * M mon-fri', '0 9 1,15 M *'].map(
  (schedule) => schedule.replace('M', String(MONTH)),
);

async function putMany(cluster: Cluster): Promise<void> {
  for (let from = 0; from < COUNT; from += JOBS_PER_TXN) {
    const success = Array.from({ length: JOBS_PER_TXN }, (_, offset) => {
      const index = from + offset;
      const schedule = SCHEDULES[index % SCHEDULES.length];
      const timezone = ZONES[Math.floor(index / SCHEDULES.length) % ZONES.length];
      const value = JSON.stringify({ schedule, timezone, command: ['true', String(index)] });
      return { type: 'put' as const, key: cluster.keys.job(`idle-${index}`), value };
    });
    await cluster.store.txn({ compare: [], success });
  }
}

it('plans what is due among thousands, before and after the leader dies, and says which one is broken', async () => {
  const etcd = await startEtcd();
  const cluster = new Cluster({ endpoints: [etcd.endpoint] });
  try {
    await putMany(cluster);
    await cluster.putJob('due', { schedule: EVERY_SECOND, command: cluster.note('start'), overlap: 'allow' });
    await cluster.putJob('idle-42', { schedule: SCHEDULES[0], command: 'true', weight: 'heavy' });
    await cluster.start('w-1', 'w-2');
    const runs = (job: string): number[] =>
      cluster.evidence().flatMap(({ runId, dueMs }) => (runId.startsWith(`${job}/`) ? [dueMs] : []));
    await waitUntil(() => runs('due').length >= 3, { what: 'three runs', timeoutMs: 60_000 });
    const fromMs = Math.max(...runs('due'));

    const leader = await cluster.leader();
    leader.child.kill('SIGKILL');
    const next = await waitUntil(
      async () => {
        const now = await cluster.leader();
        return now === leader ? undefined : now;
      },
      { what: 'another leader', timeoutMs: 60_000 },
    );
    // Beyond what the dead one can have planned.
    const throughMs = Math.ceil(Date.now() / 1_000) * 1_000 + 16_000;
    await cluster.putJob('idle-7', { schedule: EVERY_SECOND, command: cluster.note('start') });
    await waitUntil(() => runs('idle-7').length >= 1, { what: 'the changed job to run', timeoutMs: 60_000 });
    await cluster.ended('due', throughMs);

    expect(await cluster.accounting('due', EVERY_SECOND, fromMs, throughMs)).toEqual([]);
    expect(cluster.violations()).toEqual([]);
    const records = [...(await cluster.records()).keys()].map((runId) => runId.split('/')[0]);
    expect([...new Set(records)].sort()).toEqual(['due', 'idle-7']);
    const broken = (): boolean => /"job":"idle-42".*this job is broken/.test(next.log());
    await waitUntil(broken, { what: 'the broken job to be told of', timeoutMs: 120_000 });
  } finally {
    await cluster.stop();
    await etcd.stop();
  }
});
