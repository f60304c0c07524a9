/**
 * A load of firings that goes on, and a stretch of it that is measured: the firings that are due in some seconds, from their due
 * times, whether or not the workers keep up. Nothing is read from etcd meanwhile: what became of each firing is read from
 * etcd's history afterwards.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseRunId, type FiringId } from '../src/etcd/keys.js';
import type { RunRecord } from '../src/history/run-record.js';
import { isBehind, type Position } from '../src/plan/order.js';
import { LiveLedger, plannedRuns, runIds } from './accounting.js';
import type { BenchCluster } from './cluster.js';
import { profileTimeUs } from './cpu-profile.js';
import { faultsOf, firingKey, numberOf, type StartNote } from './notes.js';
import type { Figures, ScenarioContext } from './scenario.js';
import { beginUsage } from './usage.js';

/** Before a due time: the one before it is dealt with, and this one is not claimed yet. */
const QUIET_BEFORE_DUE_MS = 700;
/** Before the first due time: no claim of it was made yet. */
const HISTORY_BEFORE_MS = 2_000;
/** After the last due time: what is not recorded by then is a backlog. */
const BACKLOG_AFTER_MS = 1_000;
const LAST_RECORD_WITHIN_MS = 60_000;
const PLANNED_WITHIN_MS = 30_000;
const POLL_MS = 500;

export interface StretchOptions {
  /** Names of jobs that are due every second. */
  readonly jobs: readonly string[];
  readonly seconds: number;
  /** Before the first due time. */
  readonly warmUpMs: number;
  /** The load may be more than the workers can carry: what is not finished in the end is a backlog, and nothing else. */
  readonly mayFallBehind?: boolean;
  /** It is measured also where not even the planning keeps up. */
  readonly evenUnplanned?: boolean;
}

export interface Stretch {
  readonly firings: number;
  /** Of the starts, by the handlers' own notes, ms. */
  readonly latenessMs: readonly number[];
  /** Firings that had no record a second after the last due time. */
  readonly backlog: number;
  readonly usage: Figures;
  readonly records: readonly RunRecord[];
  readonly problems: readonly string[];
  /** For `costsPerFiring`. */
  readonly fromUs: number;
  readonly toUs: number;
}

/** Measures a stretch of a load whose jobs have been put. */
export async function measureStretch(
  context: Pick<ScenarioContext, 'etcd'>,
  cluster: BenchCluster,
  options: StretchOptions,
): Promise<Stretch> {
  const stretch = await tryStretch(context, cluster, options);
  if (stretch === null)
    throw new Error(
      `${options.jobs.length} firings a second were not planned in time\n${cluster.complaints().join('\n')}`,
    );
  return stretch;
}

/** The same; null when not even the planning is done in time, and must be. */
export async function tryStretch(
  { etcd }: Pick<ScenarioContext, 'etcd'>,
  cluster: BenchCluster,
  { jobs, seconds, warmUpMs, mayFallBehind = false, evenUnplanned = false }: StretchOptions,
): Promise<Stretch | null> {
  const isPlanned = (await cluster.plannedThrough(Date.now() + warmUpMs, PLANNED_WITHIN_MS)) !== null;
  if (!isPlanned && !evenUnplanned) return null;
  const firstDueMs = Math.ceil((Date.now() + Math.max(warmUpMs, HISTORY_BEFORE_MS + 1_000)) / 1000) * 1000;
  const dues = Array.from({ length: seconds }, (_, second) => firstDueMs + second * 1000);
  const firings = jobs.length * seconds;

  await sleep(firstDueMs - HISTORY_BEFORE_MS - Date.now());
  const fromRevision = await cluster.revision();
  await sleep(firstDueMs - QUIET_BEFORE_DUE_MS - Date.now());
  const fromUs = profileTimeUs();
  const usage = await beginUsage(etcd.endpoint, cluster.pids);
  await sleep(firstDueMs + seconds * 1000 - QUIET_BEFORE_DUE_MS - Date.now());
  const spent = await usage.figures(firings);
  const toUs = profileTimeUs();
  await sleep(dues.at(-1)! + BACKLOG_AFTER_MS - Date.now());
  const revision = await cluster.revision();

  const expected = runIds(jobs, dues);
  if (!mayFallBehind) await allEnded(cluster, dues.at(-1)!);
  const live = new LiveLedger(cluster, fromRevision);
  try {
    // What is planned or ends between the looks is in the later one.
    const position: Position = (await cluster.cursor())?.plannedThrough ?? { due: 0, job: null };
    const planned = mayFallBehind ? await plannedRuns(cluster) : new Set<string>();
    await live.sync();
    // A leader that is behind may have come to the middle of a second.
    const isUnplanned = ({ job, dueMs }: FiringId): boolean => isBehind({ due: dueMs, job }, position);
    const isLate = (runId: string): boolean =>
      !live.ledger.has(runId) && (planned.has(runId) || isUnplanned(parseRunId(runId)!));
    const account = live.ledger.judge(mayFallBehind ? expected.filter((runId) => !isLate(runId)) : expected);
    const starts = judgeNotes(account.records.length, jobs, dues, await cluster.notes());
    return {
      firings,
      latenessMs: starts.latenessMs,
      backlog: expected.filter((runId) => live.ledger.recordedAt(runId) > revision).length,
      usage: spent,
      records: account.records,
      problems: [...account.problems, ...starts.problems],
      fromUs,
      toUs,
    };
  } finally {
    live.close();
  }
}

/** Waits until nothing that was due up to `lastDueMs` is planned or in flight any more; not for ever. */
export async function allEnded(cluster: BenchCluster, lastDueMs: number): Promise<void> {
  const giveUpAt = performance.now() + LAST_RECORD_WITHIN_MS;
  while (performance.now() < giveUpAt) {
    const open = await plannedRuns(cluster);
    if (![...open].some((runId) => (parseRunId(runId)?.dueMs ?? 0) <= lastDueMs)) return;
    await sleep(POLL_MS);
  }
}

/** What the handlers say of the firings of `jobs` × `dues`, of which `recorded` have a record. */
export function judgeNotes(
  recorded: number,
  jobs: readonly string[],
  dues: readonly number[],
  notes: readonly StartNote[],
): { latenessMs: number[]; problems: string[] } {
  const numbers = new Set(jobs.map(numberOf));
  const times = new Set(dues);
  const own = notes.filter(({ job, dueMs }) => numbers.has(job) && times.has(dueMs));
  const started = new Set(own.map(({ job, dueMs }) => firingKey(job, dueMs)));
  const problems = faultsOf(own);
  if (started.size < recorded)
    problems.push(`${recorded} firings are recorded, and ${started.size} were started`);
  return { latenessMs: own.map(({ latenessMs }) => latenessMs), problems };
}
