/** Runs that are counted, and runs for past due times, on three real workers. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { runEtcron } from '../support/cli-process.js';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const MINUTE = 60_000;

let etcd: RunningEtcd;
let cluster: Cluster;

beforeAll(async () => {
  etcd = await startEtcd();
  cluster = new Cluster({ endpoints: [etcd.endpoint] });
  await cluster.start('w-1', 'w-2', 'w-3');
});

afterAll(async () => {
  await cluster.stop();
  await etcd.stop();
});

const etcron = (...args: string[]) => runEtcron(cluster, [etcd.endpoint], ...args);

/** The due times that the commands of a job were told, in the order in which they ran. */
function dues(job: string): string[] {
  const ofJob = cluster.evidence().filter(({ runId, what }) => runId.startsWith(`${job}/`) && what !== 'end');
  return ofJob.map(({ what }) => what);
}

const startedMs = Date.now();

/** So many minutes before the one in which all of this began. */
function minutesAgo(minutes: number): string {
  return new Date(Math.floor(startedMs / MINUTE) * MINUTE - minutes * MINUTE).toISOString();
}

describe('on three workers', () => {
  it('maxRuns is how often a job runs, whoever runs it', async () => {
    const jobs = ['count-1', 'count-2', 'count-3', 'count-4'];
    const command = cluster.note('$ETCRON_DUE');
    for (const job of jobs)
      await cluster.putJob(job, { schedule: '* * * * * *', command, overlap: 'allow', maxRuns: 4 });
    const list = async (): Promise<boolean> => {
      const { stdout } = await etcron('jobs', 'list', '--json');
      const states = (JSON.parse(stdout) as { jobs: { name: string; state: string }[] }).jobs;
      const ours = states.filter(({ name }) => jobs.includes(name));
      return ours.length === jobs.length && ours.every(({ state }) => state === 'done');
    };
    await waitUntil(list, { what: 'all of them to be done', timeoutMs: 60_000 });
    const throughMs = Date.now() + 2_000;
    for (const job of jobs) await cluster.ended(job, throughMs);
    for (const job of jobs) expect(new Set(dues(job)).size).toBe(4);
    for (const job of jobs) expect(dues(job)).toHaveLength(4);
    expect((await etcron('jobs', 'get', 'count-1')).stdout).toMatch(/^state +done after 4 runs$/m);
  });

  it('a backfill runs the job for its past due times, in order, without disturbing what is on record', async () => {
    // One at a time, as the job says, although two are asked for at once.
    const command = `${cluster.note('$ETCRON_DUE')}; sleep 0.2; ${cluster.note('end')}`;
    await cluster.putJob('report', { schedule: '* * * * *', command });
    const [from, to] = [minutesAgo(60), minutesAgo(55)];
    const range = ['--from', from, '--to', to];
    const listed = await etcron('backfill', 'report', ...range, '--dry-run', '--json');
    const expected = [60, 59, 58, 57, 56, 55].map(minutesAgo);
    expect(JSON.parse(listed.stdout)).toMatchObject({
      count: 6,
      due: expected.map((due) => due.replace('.000', '')),
    });
    const ran = await etcron('backfill', 'report', ...range, '--concurrency', '2');
    expect(ran).toMatchObject({ exitCode: 0 });
    expect(ran.stdout).toContain('✓ all 6 runs succeeded');
    expect(dues('report').filter((due) => due <= to)).toEqual(expected);
    const whats = cluster
      .evidence()
      .filter(({ dueMs }) => dueMs <= Date.parse(to))
      .map(({ what }) => what);
    expect(whats).toEqual(expected.flatMap((due) => [due, 'end']));
    const records = [...(await cluster.records('report'))].filter(([runId]) => runId.includes('+backfill-'));
    expect(records.map(([runId]) => runId.slice('report/'.length).split('+')[0])).toEqual(expected);
    for (const [, record] of records) {
      expect(record).toMatchObject({ outcome: 'succeeded', manual: true, attempts: 1 });
      expect(record.latenessMs).toBeLessThan(MINUTE);
    }
  });

  it('a backfill with a failed run ends with an error', async () => {
    const command = `case $ETCRON_DUE in *:01:*) exit 3;; esac`;
    await cluster.putJob('hourly', { schedule: '0-2 * * * *', command });
    const hour = new Date(Date.now() - 3 * 60 * MINUTE).toISOString().slice(0, 14);
    const ran = await etcron('backfill', 'hourly', '--from', `${hour}00Z`, '--to', `${hour}02Z`);
    expect(ran.exitCode).toBe(1);
    expect(ran.stdout).toMatch(/^2\/3 .* failed .* exit code 3$/m);
    expect(ran.stderr).toContain('3 of 3 runs ended, 1 of them not well [ETCRON_RUN_FAILED]');
  });

  it('Ctrl-C stops a backfill after what is under way, and says how to go on', async () => {
    await cluster.putJob('slow', {
      schedule: '* * * * *',
      command: `${cluster.note('$ETCRON_DUE')}; sleep 1`,
    });
    const args = ['backfill', 'slow', '--from', minutesAgo(30), '--to', minutesAgo(20)];
    const where = ['--endpoints', etcd.endpoint, '--prefix', cluster.keys.prefix];
    const running = execa(process.execPath, [CLI, ...args, ...where], { reject: false, stdin: 'ignore' });
    await waitUntil(() => dues('slow').length > 0, { what: 'the first run', timeoutMs: 60_000 });
    running.kill('SIGINT');
    const { exitCode, stdout, stderr } = await running;
    const next = minutesAgo(30 - stdout.trim().split('\n').length).replace('.000', '');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`Go on with: etcron backfill slow --from ${next} --to ${args.at(-1)}`);
    expect(stdout).toMatch(/^1\/11 .* succeeded/);
  });
});
