/** Nothing lost and nothing stuck: every due time has its one account, and nothing waits that should have moved. */
import { formatRunId, parseRunId } from '../../../etcd/keys.js';
import { prefixRange } from '../../../etcd/store.js';
import { parseSchedule } from '../../../schedule/index.js';
import type { Definition } from '../scenario.js';
import { MAX_SKEW_MS } from '../worker.js';
import type { World } from '../world.js';
import type { CheckedHistory } from './history.js';
import { sharingOf } from './sharing.js';
import type { Violation } from './violation.js';

/** A change reaches a leader whose clock is off by so much at most, and so is that of whoever wrote it. */
const SETTLED_AFTER_MS = 2 * MAX_SKEW_MS + 100;
/** Due times in the last moments may still have to be planned, unless the cursor says that they are. */
const LATEST_MS = 25_000;
/**
 * A firing that waits for so long in a healed cluster is stuck, unless others of its job keep its slot busy, or so much
 * runs that workers may have no room.
 */
const STUCK_AFTER_MS = 30_000;
const BUSY_WITHIN_MS = 5_000;
/** What is not overdue yet is planned after what is. */
const STILL_TO_PLAN_MS = 12_000;
/** What is for one worker alone waits for it to come back. */
const COME_BACK_MS = 90_000;

interface StoredFiring {
  readonly notBefore?: string;
  readonly only?: unknown;
  readonly expanded?: number;
}

export function checkAccounting(
  world: World,
  history: CheckedHistory,
  last: ReadonlyMap<string, Definition>,
): Violation[] {
  const throughMs = Math.max(world.clock.now() - LATEST_MS, plannedThroughMs(world));
  const violations: Violation[] = [];
  // A leader that took its wrong clock for right has planned by it.
  const planned = world.wasMisled ? [] : [...world.scenario.steady, ...last];
  for (const [job, { schedule }] of planned) {
    const fromMs = Math.max(world.changedAtMs.get(job)!, history.firstLeaderAtMs) + SETTLED_AFTER_MS;
    violations.push(...accountOf(history, job, schedule, fromMs, throughMs));
  }
  for (const runId of world.manual) {
    if (history.records.has(runId) || history.firing(runId)) continue;
    violations.push({ subject: runId, text: 'was asked for by hand and never accounted for', atMs: null });
  }
  return [...violations, ...stuck(world)];
}

/** Up to when every due time must be a firing or a record, by the cursor's own word; 0 while changed jobs are not planned. */
export function plannedThroughMs({ etcd, keys }: World): number {
  const cursor = etcd.get(keys.cursor);
  if (cursor === null) return 0;
  const { plannedThrough, jobsRevision } = JSON.parse(cursor.value.toString()) as StoredCursor;
  const jobs = etcd.range(prefixRange(keys.jobs)).kvs;
  if (jobs.some(({ modRevision }) => modRevision > jobsRevision)) return 0;
  // Where it names a job, those behind it are not planned at that time.
  return Date.parse(plannedThrough.due) - (plannedThrough.job === null ? 0 : 1);
}

/**
 * Its job had all its runs by then, or shortly after: what was still to run is withdrawn, or never planned. After an outage
 * that can be due times long past: all that come after the last one that ran.
 */
function wasDone(history: CheckedHistory, job: string, runId: string, dueMs: number): boolean {
  const sinceMs = history.doneSinceMs.get(job);
  if (history.withdrawnAsDone.has(runId)) return true;
  if (sinceMs === undefined) return false;
  const begun = [...history.claims.keys()].flatMap((claimed) => {
    const id = parseRunId(claimed);
    return id?.job === job && id.suffix === null ? [id.dueMs] : [];
  });
  return dueMs > sinceMs - STILL_TO_PLAN_MS || dueMs > Math.max(...begun);
}

interface StoredCursor {
  readonly plannedThrough: { readonly due: string; readonly job: string | null };
  readonly jobsRevision: number;
}

function accountOf(
  history: CheckedHistory,
  job: string,
  expression: string,
  fromMs: number,
  throughMs: number,
): Violation[] {
  const violations: Violation[] = [];
  const schedule = parseSchedule(expression, 'UTC');
  const ranges = history.missed.get(job) ?? [];
  for (let due = schedule.next(fromMs); due !== null && due <= throughMs; due = schedule.next(due)) {
    const dueMs = due;
    const runId = formatRunId({ job, dueMs, suffix: null });
    const record = history.records.get(runId);
    // What was still under way when the range was written is not part of it.
    const own = (record && record.missed === null) || history.firing(runId) !== undefined;
    const inRange = ranges.filter((one) => one.fromMs <= dueMs && dueMs <= one.throughMs).length;
    const accounts = own ? 1 : inRange;
    if (accounts === 1 || (accounts === 0 && wasDone(history, job, runId, dueMs))) continue;
    violations.push({ subject: runId, text: `accounted for ${accounts} times`, atMs: dueMs });
  }
  return violations;
}

/** Firings that could have run, or could have gone on, so long ago. */
export function waitingFor(waitMs: number, world: World): { runId: string; sinceMs: number }[] {
  const { clock, etcd, keys, processes, scenario } = world;
  const nowMs = clock.now();
  const recent = processes.filter((one) => (one.endedAtMs ?? nowMs) > nowMs - BUSY_WITHIN_MS);
  if (recent.length >= (scenario.node.capacity ?? Infinity)) return [];
  const busy = new Set(recent.map((one) => one.job));
  const busyLimits = new Set([...busy].flatMap((job) => sharingOf(world, job).limits));
  return etcd.range(prefixRange(keys.firings)).kvs.flatMap(({ key, value }) => {
    const runId = key.slice(keys.firings.length);
    const { job, dueMs } = parseRunId(runId)!;
    const { notBefore, only, expanded } = JSON.parse(value.toString()) as StoredFiring;
    const sinceMs = Math.max(dueMs, notBefore === undefined ? 0 : Date.parse(notBefore));
    const isForAll = only !== undefined || expanded !== undefined;
    const patienceMs = Math.max(waitMs, isForAll ? COME_BACK_MS : 0);
    const isKept = busy.has(job) || sharingOf(world, job).limits.some((limit) => busyLimits.has(limit));
    return isKept || sinceMs > nowMs - patienceMs ? [] : [{ runId, sinceMs }];
  });
}

function stuck(world: World): Violation[] {
  const nowMs = world.clock.now();
  return waitingFor(STUCK_AFTER_MS, world).map(({ runId, sinceMs }) => ({
    subject: runId,
    text: `stuck since ${Math.round((nowMs - sinceMs) / 1000)} s`,
    atMs: sinceMs,
  }));
}
