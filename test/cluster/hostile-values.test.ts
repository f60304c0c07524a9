/**
 * More than 200 values under each prefix that etcron reads, none of them what belongs there, on a real etcd with real
 * workers: some lie there when the workers start, the others arrive while they work, and a takeover has to live with all.
 *
 * What etcron itself may remove: a leader key, a lock or a slot without a lease where it stands in the way; firings that
 * decode, of jobs that do not exist (withdrawn, or ended with a record); kill requests that decode, for runs that are
 * not there; requests to hand over; run records beyond their job's limits; and whatever stands where a healthy job's firing
 * is planned.
 */
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest';
import { killRecordSchema } from '../../src/view/kill-record.js';
import { decodeRecord } from '../../src/etcd/record.js';
import { formatRunId, parseRunId } from '../../src/etcd/keys.js';
import { prefixRange, singleKey, type KeyValue } from '../../src/etcd/store.js';
import { put } from '../../src/etcd/txn.js';
import { decodeFiring } from '../../src/view/firing-record.js';
import { runEtcron, type CliRun } from '../support/cli-process.js';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { HOSTILE_PREFIXES, hostilePuts, type HostilePut } from '../support/hostile-values.js';
import { waitUntil } from '../support/wait.js';
import { isAlive } from '../support/worker-process.js';

const EVERY_SECOND = '* * * * * *';
const PER_PREFIX = 210;
const HEALTHY = ['healthy', 'healthy-alone'];
/** More than what is read in two answers (16 MiB each), where values are listed. */
const HUGE = { jobs: 24, runs: 24, workers: 24 } as const;
// eslint-disable-next-line no-control-regex
const TERMINAL_CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

let etcd: RunningEtcd;
let cluster: Cluster;

beforeAll(async () => {
  etcd = await startEtcd();
  cluster = new Cluster({ endpoints: [etcd.endpoint] });
});

afterAll(async () => {
  await cluster.stop();
  await etcd.stop();
});

const runsOf = (job: string): number =>
  cluster.evidence().filter(({ runId }) => runId.startsWith(`${job}/`)).length;

async function healthyGoOn(count = 3): Promise<void> {
  const before = HEALTHY.map(runsOf);
  await waitUntil(() => HEALTHY.every((job, index) => runsOf(job) >= before[index]! + count), {
    what: 'healthy runs to go on',
  });
}

/** In small groups: the huge ones alone. */
async function write(puts: readonly HostilePut[]): Promise<void> {
  for (const { key, value } of puts) {
    await cluster.store.txn({ compare: [], success: [put(key, value)] }, { deadlineMs: 30_000 });
  }
}

function warnings(log: string): string[] {
  return log.split('\n').filter((line) => /"level":[456]0/.test(line));
}

async function etcron(...args: string[]): Promise<CliRun> {
  const result = await runEtcron(cluster, [etcd.endpoint], ...args);
  expect(`${result.stdout}${result.stderr}`).not.toMatch(TERMINAL_CONTROL);
  expect(result.stderr).not.toMatch(/\n +at |UnhandledPromise|ETCRON_INTERNAL/);
  return result;
}

it('200 malformed values under every prefix harm nothing but themselves', async () => {
  onTestFailed(() => {
    for (const { name, log } of cluster.workers) {
      // Warnings about the values abound.
      const errors = log().match(/^.*"level":[56]0.*$/gm) ?? [];
      if (errors.length > 0) console.error(`${name}:\n${errors.slice(0, 5).join('\n').slice(0, 5_000)}`);
    }
  });
  const { keys } = cluster;
  const puts = new Map(
    HOSTILE_PREFIXES.map((prefix) => {
      const huge = prefix in HUGE ? HUGE[prefix as keyof typeof HUGE] : 3;
      return [prefix, hostilePuts(keys, prefix, { seed: 1, count: PER_PREFIX, huge })];
    }),
  );
  const all = [...puts.values()];
  const early = all.flatMap((some) => some.filter((_, index) => index % 2 === 0));
  const late = all.flatMap((some) => some.filter((_, index) => index % 2 === 1));
  for (const some of puts.values()) expect(some.length).toBeGreaterThanOrEqual(200);

  const command = cluster.note('start');
  await cluster.putJob('healthy', { schedule: EVERY_SECOND, command, overlap: 'allow' });
  await cluster.putJob('healthy-alone', { schedule: EVERY_SECOND, command });
  await write(early);
  await cluster.start('w-1', 'w-2');
  await waitUntil(() => HEALTHY.every((job) => runsOf(job) >= 2), { what: 'the healthy jobs to run' });
  const fromMs = Date.now();
  await write(late);
  // Where the healthy jobs have theirs, too.
  const soonMs = Math.floor(Date.now() / 1_000) * 1_000 + 6_000;
  const own = (job: string, seconds: number): string =>
    formatRunId({ job, dueMs: soonMs + seconds * 1_000, suffix: null });
  await write(
    [
      [keys.firings + own('healthy', 0), '\0'],
      [keys.firings + own('healthy-alone', 1), '{"origin":"schedule","fingerprint":"f","attempt":0}'],
      [keys.firings + own('healthy', -3_600), '{"origin":"schedule","fingerprint":"f","attempt":0}'],
      [keys.locks + own('healthy', 2), 'mine'],
      [keys.slot('healthy-alone', 0), 'mine'],
      [`${keys.runs}healthy/nonsense`, 'x'],
      [keys.kills + own('healthy', 3), 'x'],
      // Of no effect, though workers of these names are there.
      [keys.drain('w-1'), 'yes'],
      [keys.drain('w-2'), '{"by":1}'],
      [keys.drain('w-3'), ''],
    ].map(([key, value]) => ({ key: key!, value: Buffer.from(value!) })),
  );
  await healthyGoOn();

  // One more worker reads it all anew, and a new leader takes over.
  await cluster.start('w-3');
  const leader = await cluster.leader();
  process.kill(leader.pid, 'SIGKILL');
  await leader.exited;
  await healthyGoOn();

  // Quiet: what is wrong has been said, and is not said again and again.
  const survivors = cluster.workers.filter((worker) => worker !== leader);
  const settled = survivors.map(({ log }) => warnings(log()).length);
  await healthyGoOn(5);
  for (const [index, worker] of survivors.entries()) {
    expect(isAlive(worker)).toBe(true);
    const fresh = warnings(worker.log()).slice(settled[index]);
    const again = `${worker.name} complains again and again:\n${fresh.join('\n').slice(0, 5_000)}`;
    expect(fresh.length, again).toBeLessThan(15);
    expect(worker.log()).not.toMatch(/planning failed|uncaught|unhandled|a listener of the mirror failed/i);
  }

  const throughMs = Date.now();
  for (const job of HEALTHY) await cluster.ended(job, throughMs);
  for (const job of HEALTHY) {
    expect(await cluster.accounting(job, EVERY_SECOND, fromMs, throughMs)).toEqual([]);
    const mine = [...(await cluster.records(job))].filter(([runId]) => {
      const { dueMs } = parseRunId(runId)!;
      return dueMs > fromMs && dueMs <= throughMs;
    });
    // Nobody was held up for so long that a due time became a misfire.
    expect(mine.filter(([, { outcome }]) => outcome === 'missed')).toEqual([]);
  }
  expect(cluster.violations()).toEqual([]);

  // Each broken definition is shown with what is wrong with it, and was logged by each worker.
  const bad = puts.get('jobs')!.map(({ key }) => key.slice(keys.jobs.length));
  const list = await etcron('jobs', 'list', '--json');
  expect(list.exitCode, list.stderr).toBe(0);
  type Listed = { name: string; state: string; problems: unknown[] };
  const { jobs } = JSON.parse(list.stdout) as { jobs: Listed[] };
  const shown = new Map(jobs.map((job) => [job.name, job]));
  for (const name of bad) {
    expect(shown.get(name), name).toMatchObject({ state: 'broken' });
    expect(shown.get(name)!.problems.length).toBeGreaterThan(0);
  }
  expect(shown.get('healthy')).toMatchObject({ state: 'ok', problems: [] });
  const lines = warnings(survivors[0]!.log());
  for (const name of ['a', 'constructor', 'bad-100', 'bad-209']) {
    const about = lines.filter((line) => (JSON.parse(line) as { job?: string }).job === name);
    expect(about.length, name).toBeGreaterThan(0);
    // One line for each problem of it; of those a definition has 51 at most.
    expect(new Set(about.map((line) => line.replace(/"time":"[^"]*"/, ''))).size).toBe(about.length);
  }

  await commandsWork();
  await nothingElseIsGone(
    puts.get('kill')!,
    [...puts].flatMap(([prefix, some]) =>
      ['leader', 'cursor', 'kill', 'handover'].includes(prefix) ? [] : some,
    ),
  );
});

async function commandsWork(): Promise<void> {
  for (const args of [
    ['status'],
    ['limits', 'list'],
    ['workers'],
    ['jobs', 'list'],
    ['jobs', 'get', 'healthy'],
    ['runs', 'list', '--outcome', 'failed'],
    ['runs', 'list', '--limit', '100', '--json'],
    ['runs', 'list', '--job', 'ghost'],
  ]) {
    const { exitCode, stderr } = await etcron(...args);
    expect(exitCode, `${args.join(' ')}: ${stderr}`).toBe(0);
  }
  const workers = await etcron('workers', '--json');
  expect((JSON.parse(workers.stdout) as { workers: unknown[] }).workers).toHaveLength(2);
  for (const name of ['constructor', 'bad-180', '\u001b[2J\u001b]0;owned\u0007\u009b31m']) {
    const got = await etcron('jobs', 'get', name);
    expect(`${got.stdout}${got.stderr}`, name).toMatch(/broken/);
  }
  const runs = await cluster.list(prefixRange(cluster.keys.runs));
  const known = runs
    .map(({ key }) => key.slice(cluster.keys.runs.length))
    .filter((runId) => parseRunId(runId) && !runId.startsWith('healthy'));
  expect(known.length).toBeGreaterThan(3);
  // Arguments cannot carry what is no text.
  for (const runId of known.filter((id) => !/[\p{Cs}\0]/u.test(id)).slice(0, 3)) {
    expect(await etcron('runs', 'get', runId), runId).toMatchObject({ exitCode: 0 });
  }
}

/** What stands there is what was put there, but for what etcron has a reason to remove. */
async function nothingElseIsGone(kills: readonly HostilePut[], rest: readonly HostilePut[]): Promise<void> {
  const { keys } = cluster;
  const left = new Map((await cluster.list(prefixRange(`${keys.prefix}/`))).map((kv) => [kv.key, kv]));
  const isSame = (kv: KeyValue | undefined, value: Buffer): boolean => kv?.value.equals(value) ?? false;
  const gone = rest.filter(({ key, value }) => {
    if (isSame(left.get(key), value)) return false;
    // A count belongs to the life of one job; what belongs to none is cleaned up.
    if (key.startsWith(keys.counts)) return false;
    if (key.startsWith(keys.firings)) return !decodeFiring({ value }).ok;
    return !(key.startsWith(keys.runs) && parseRunId(key.slice(keys.runs.length)) !== null);
  });
  expect(gone.map(({ key }) => key.slice(0, 200))).toEqual([]);
  for (const { key, value } of kills) {
    if (decodeRecord(killRecordSchema, { value }).ok) continue;
    expect(isSame(left.get(key), value), key.slice(0, 200)).toBe(true);
  }
  const [office] = await cluster.list(singleKey(keys.leader));
  expect(office?.leaseId).not.toBeNull();
}
