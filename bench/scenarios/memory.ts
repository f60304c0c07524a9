/**
 * Whether anything grows: workers under a steady load for as long as it takes to see a leak. Heaps are compared after a
 * garbage collection; resident memory tells what the machine has to hold. Of etcd, the keys below each prefix and the size of its
 * database: records are kept for ten minutes whatever the history limits say, so both grow for some minutes, and then no more.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { parseRunId } from '../../src/etcd/keys.js';
import { prefixRange } from '../../src/etcd/store.js';
import { latenessesMs, LiveLedger, plannedRuns, runIds } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import { probedWorkers, residentMiB, sampleHeap, toMiB, watchdogsOf } from '../memory.js';
import type { Figures, Measure, Scenario, ScenarioContext } from '../scenario.js';
import { secondsBetween } from '../schedules.js';
import { fitLine, percentile } from '../statistics.js';
import { beginUsage, USAGE_MEASURES } from '../usage.js';

const JOBS = 100;
const MINUTE_MS = 60_000;
/** Minutes that are not compared: what is loaded and compiled once. */
const WARM_UP_MINUTES = 3;
/** A firing is judged this long after its due time: longer than any that is late, but not lost, takes. */
const SETTLE_AFTER_MS = 60_000;
const LAST_RECORD_WITHIN_MS = 60_000;
/** Due this long ago and still not ended: a backlog, when there are ever more of them. */
const OVERDUE_MS = 2_000;

/** One sample, a minute after the one before; sums over the three workers where it does not say otherwise. MiB. */
export type MemorySample = Readonly<Record<(typeof COLUMNS)[number]['key'], number>>;

const COLUMNS = [
  { key: 'minute', head: 'minute', digits: 1 },
  { key: 'heapMiB', head: 'heaps after GC', digits: 1 },
  { key: 'largestHeapMiB', head: 'largest heap', digits: 1 },
  { key: 'externalMiB', head: 'external', digits: 1 },
  { key: 'workersMiB', head: 'workers RSS', digits: 0 },
  { key: 'watchdogsMiB', head: 'watchdogs RSS', digits: 0 },
  { key: 'databaseMiB', head: 'etcd database', digits: 0 },
  { key: 'records', head: 'records', digits: 0 },
  { key: 'firings', head: 'firings', digits: 0 },
  { key: 'locks', head: 'locks', digits: 0 },
  { key: 'overdue', head: 'overdue', digits: 0 },
  { key: 'latenessP50Ms', head: 'late p50 ms', digits: 0 },
  { key: 'latenessMaxMs', head: 'late max ms', digits: 0 },
] as const;

const COMPARED = [
  { key: 'heapMiB', label: 'heaps of the 3 workers after GC' },
  { key: 'workersMiB', label: 'RSS of the 3 workers' },
  { key: 'watchdogsMiB', label: 'RSS of their 3 watchdogs' },
  { key: 'databaseMiB', label: "etcd's database" },
] as const;

const comparisons: Measure[] = COMPARED.flatMap(({ key, label }) => [
  { key: `${key}Before`, label: `${label}, after ${WARM_UP_MINUTES} minutes`, unit: 'MiB', digits: 1 },
  { key: `${key}After`, label: `${label}, at the end`, unit: 'MiB', digits: 1 },
  { key: `${key}PerHour`, label: `${label}, slope of a line through the samples`, unit: 'MiB/h', digits: 1 },
]);

export const memory: Scenario = {
  name: 'memory',
  title: `${JOBS} jobs every second, /bin/true, 3 workers, sampled every minute`,
  onlyWhenNamed: true,
  compacts: true,
  measures: [
    ...comparisons,
    { key: 'minutes', label: 'minutes', unit: '', digits: 0 },
    { key: 'firings', label: 'firings, each recorded once', unit: '', digits: 0 },
    { key: 'handBacks', label: 'claims given back unstarted, and made again', unit: '', digits: 0 },
    { key: 'records', label: 'run records at the end', unit: '', digits: 0 },
    ...USAGE_MEASURES.filter(({ key }) => key === 'workerCpuMs' || key === 'othersPercent'),
  ],
  targets: [],

  async run(context) {
    const folder = await mkdtemp(join(tmpdir(), 'etcron-bench-'));
    const cluster = await BenchCluster.start(context, '/memory', probedWorkers(folder));
    try {
      return await measure(context, cluster, folder);
    } finally {
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function measure(
  context: ScenarioContext,
  cluster: BenchCluster,
  folder: string,
): Promise<{ figures: Figures; problems: string[] }> {
  const { minutes, say } = context;
  const live = new LiveLedger(cluster, await cluster.revision());
  // Where other work takes the machine for longer than the misfire threshold, firings are late, and none is missed.
  const jobs = await cluster.putJobs(JOBS, '* * * * * *', { misfire: 'all' });
  await cluster.allPlanned(jobs);
  const firstDueMs = Math.ceil((Date.now() + 2_000) / 1000) * 1000;
  const usage = await beginUsage(context.etcd.endpoint, cluster.pids);
  const samples: MemorySample[] = [];
  const problems: string[] = [];
  let firings = 0;
  let handBacks = 0;
  let settledMs = firstDueMs;
  /** Judged with a later minute. */
  let unfinished: string[] = [];
  for (let minute = 1; minute <= minutes; minute += 1) {
    await sleep(firstDueMs + minute * MINUTE_MS - Date.now());
    const throughMs = Math.floor((Date.now() - SETTLE_AFTER_MS) / 1000) * 1000;
    const expected = [...unfinished, ...runIds(jobs, secondsBetween(settledMs, throughMs))];
    settledMs = Math.max(settledMs, throughMs);
    // What ends between the two looks is in the ledger.
    const planned = await plannedRuns(cluster);
    await live.sync();
    unfinished = expected.filter((runId) => planned.has(runId) && !live.ledger.has(runId));
    const isLeft = new Set(unfinished);
    const settled = live.ledger.settle(
      expected.filter((runId) => !isLeft.has(runId)),
      { handBacks: true },
    );
    firings += settled.records.length;
    handBacks += settled.handBacks;
    problems.push(...settled.problems);
    for (const problem of settled.problems) say(problem);
    const sample = {
      ...(await sampleMemory(cluster, folder)),
      minute: (Date.now() - firstDueMs) / MINUTE_MS,
      overdue: [...planned].filter((runId) => Date.now() - parseRunId(runId)!.dueMs > OVERDUE_MS).length,
      latenessP50Ms: percentile(latenessesMs(settled.records), 0.5),
      latenessMaxMs: percentile(latenessesMs(settled.records), 1),
    };
    samples.push(sample);
    say(COLUMNS.map(({ key, head, digits }) => `${head} ${sample[key].toFixed(digits)}`).join(', '));
  }
  const endMs = Math.floor((Date.now() - OVERDUE_MS) / 1000) * 1000;
  const last = [...unfinished, ...runIds(jobs, secondsBetween(settledMs, endMs))];
  const account = await live.account(last, LAST_RECORD_WITHIN_MS, { handBacks: true });
  live.ledger.settle(last);
  problems.push(...account.problems, ...live.ledger.strangers(firstDueMs, endMs));
  live.close();
  for (const line of cluster.complaints()) say(line);
  say(`\n${renderSamples(samples)}`);
  const figures = {
    ...(await usage.figures(firings + account.records.length)),
    ...compareSamples(samples),
    minutes,
    firings: firings + account.records.length,
    handBacks: handBacks + account.handBacks,
    records: samples.at(-1)!.records,
  };
  return { figures, problems };
}

type Held = Omit<MemorySample, 'minute' | 'overdue' | 'latenessP50Ms' | 'latenessMaxMs'>;

async function sampleMemory(cluster: BenchCluster, folder: string): Promise<Held> {
  const { keys, store } = cluster;
  const watchdogs = await watchdogsOf(cluster.pids);
  const residents = async (pids: Iterable<number>): Promise<number> =>
    sum(await Promise.all([...pids].map(residentMiB)));
  // Before the collection, which may give memory back.
  const workersMiB = await residents(cluster.pids);
  const watchdogsMiB = await residents(watchdogs.values());
  const heaps = [];
  // One after another, so that the pauses do not add up.
  for (const worker of cluster.workers) heaps.push(await sampleHeap(folder, worker));
  const count = async (prefix: string): Promise<number> =>
    (await store.range(prefixRange(prefix), { countOnly: true })).count;
  const [status] = await store.status();
  return {
    heapMiB: toMiB(sum(heaps.map(({ heapUsed }) => heapUsed))),
    largestHeapMiB: toMiB(Math.max(...heaps.map(({ heapUsed }) => heapUsed))),
    externalMiB: toMiB(sum(heaps.map(({ external }) => external))),
    workersMiB,
    watchdogsMiB,
    databaseMiB: toMiB(status?.dbSizeBytes ?? NaN),
    records: await count(keys.runs),
    firings: await count(keys.firings),
    locks: await count(keys.locks),
  };
}

/** Before and after, and how fast it changed in between. */
export function compareSamples(samples: readonly MemorySample[]): Figures {
  const warm = samples.slice(WARM_UP_MINUTES - 1);
  const figures: Figures = {};
  if (warm.length < 2) return figures;
  for (const { key } of COMPARED) {
    figures[`${key}Before`] = warm[0]![key];
    figures[`${key}After`] = warm.at(-1)![key];
    figures[`${key}PerHour`] = fitLine(warm.map((sample) => [sample.minute / 60, sample[key]])).slope;
  }
  return figures;
}

function renderSamples(samples: readonly MemorySample[]): string {
  const table = new Table({
    head: COLUMNS.map(({ head }) => head),
    colAligns: COLUMNS.map(() => 'right'),
    style: { head: [], border: [], compact: true },
  });
  for (const sample of samples)
    table.push(
      COLUMNS.map(({ key, digits }) => (Number.isNaN(sample[key]) ? '–' : sample[key].toFixed(digits))),
    );
  return table.toString();
}

function sum(values: readonly number[]): number {
  return values.reduce((total, one) => total + one, 0);
}
