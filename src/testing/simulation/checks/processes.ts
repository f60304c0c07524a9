/** What the observer saw of the processes: never early, never twice, never beside each other, only under a claim. */
import { parseDuration } from '../../../duration.js';
import { NODE_DEFAULTS } from '../../../node/options.js';
import type { ObservedProcess } from '../process.js';
import type { Definition } from '../scenario.js';
import { MAX_SKEW_MS } from '../worker.js';
import type { World } from '../world.js';
import { besideGroup, type CheckedHistory, type Claim } from './history.js';
import { sharingOf } from './sharing.js';
import type { Violation } from './violation.js';

/** A process, with the claim under which it ran. */
interface Attempt {
  readonly process: ObservedProcess;
  readonly claim: Claim | undefined;
}

/** The wall clocks of two nodes may differ by this, and by what their rates make of it in the length of a run. */
const BETWEEN_CLOCKS_MS = 2 * (MAX_SKEW_MS + 200);
/**
 * No process starts earlier than this before its due time in *true* time, where its node knew at least three clocks, its
 * own among them: it is then within `maxClockSkew` of their median. A majority of them is right (the nemesis sees to that),
 * so the median is the clock of one that is right, or lies between two of those: within `MAX_SKEW_MS` of the true time. The
 * rest is for the rates, by which what was known of another clock may have changed since it was last heard of.
 *
 * With fewer clocks nobody can tell which one is wrong, and nothing is promised.
 */
const TRULY_EARLY_MS = NODE_DEFAULTS.maxClockSkewMs + MAX_SKEW_MS + 100;

export function checkProcesses(world: World, history: CheckedHistory): Violation[] {
  const violations: Violation[] = [];
  const wrong = ({ process }: Attempt, text: string): void =>
    void violations.push({
      subject: process.runId,
      text: `attempt ${process.attempt} on ${process.worker} ${text}`,
      atMs: process.startedAtMs,
    });
  const attempts = world.processes.map((process) => ({ process, claim: claimOf(history, process) }));
  for (const attempt of attempts) {
    checkStart(attempt, wrong);
    if (!world.wasMisled) checkTrueTime(attempt, wrong);
  }
  // Somebody who revokes the lease of a living worker takes its claims away while it goes on with them.
  const timely = attempts.filter(({ process }) => !world.isPremature(process.dueMs, process.startedAtMs));
  const undisturbed = timely.filter(({ claim }) => claim?.end !== 'revoked-by-hand');
  for (const ofRun of grouped(undisturbed, ({ process }) => process.runId).values())
    checkSequence(world, ofRun, wrong);
  for (const [runId, ofRun] of grouped(timely, ({ process }) => process.runId))
    checkCount(world, history, runId, ofRun, violations);
  for (const ofJob of grouped(undisturbed, ({ process }) => besideGroup(process.runId)).values()) {
    const { job } = ofJob[0]!.process;
    // A process of an `abandon` job may outlive its claim; then the job's claims alone tell (`sharing.ts`).
    if (policiesOf(world, job)?.recovery === 'rerun')
      checkBesideEachOther(ofJob, sharingOf(world, job).maxConcurrent, wrong);
  }
  for (const ofWorker of grouped(attempts, ({ process }) => process.worker).values())
    checkCapacity(world, ofWorker, wrong);
  return violations;
}

type Wrong = (attempt: Attempt, text: string) => void;

function claimOf(history: CheckedHistory, process: ObservedProcess): Claim | undefined {
  return history.claims.get(process.runId)?.find(({ revision }) => revision === process.fencingToken);
}

function policiesOf({ scenario }: World, job: string): Definition | undefined {
  return scenario.steady.get(job) ?? scenario.restless.get(job);
}

function checkStart(attempt: Attempt, wrong: Wrong): void {
  const { process, claim } = attempt;
  const { startedAtNodeMs, dueMs, command, worker, startedAtMs } = process;
  if (startedAtNodeMs < dueMs) wrong(attempt, `started ${dueMs - startedAtNodeMs} ms early`);
  if (!claim || claim.client !== worker) return wrong(attempt, 'ran without a claim');
  if (startedAtNodeMs < claim.notBeforeMs)
    wrong(attempt, `started ${claim.notBeforeMs - startedAtNodeMs} ms before its retry was due`);
  if (startedAtMs > claim.endedAtMs && claim.end !== 'revoked-by-hand')
    wrong(attempt, `started ${startedAtMs - claim.endedAtMs} ms after its claim was gone`);
  const only = /[+.]on-(.+)$/.exec(process.runId)?.[1];
  if (only !== undefined && only !== worker) wrong(attempt, `was for ${only} alone`);
  if (definitionOf(claim)?.command !== command)
    wrong(attempt, `ran ${command}, which was not its job's command`);
}

function checkTrueTime(attempt: Attempt, wrong: Wrong): void {
  const { knownSkewMs, dueMs, startedAtMs } = attempt.process;
  if (knownSkewMs !== null && startedAtMs < dueMs - TRULY_EARLY_MS)
    wrong(attempt, `started ${dueMs - startedAtMs} ms early in true time, and could have known it`);
}

/** The attempts of one firing. */
function checkSequence(world: World, attempts: readonly Attempt[], wrong: Wrong): void {
  for (const [index, next] of attempts.entries()) {
    const before = attempts[index - 1];
    if (!before) continue;
    if (before.process.attempt >= next.process.attempt) wrong(next, 'started again');
    if (isBeside(before, next)) wrong(next, `ran beside attempt ${before.process.attempt}`);
    const endedAtMs = before.process.endedAtMs ?? 0;
    const pausedMs = next.process.startedAtMs - endedAtMs;
    const delayMs = isMeasuredWell(world, before, next) ? retryDelayAfter(before) : 0;
    if (delayMs > 0 && pausedMs < delayMs - BETWEEN_CLOCKS_MS)
      wrong(next, `was a retry after only ${pausedMs} ms`);
  }
}

/** A retry is written by one clock and started by another: both must be right, or could have known that they are not. */
function isMeasuredWell(world: World, before: Attempt, next: Attempt): boolean {
  const endedAtMs = before.process.endedAtMs ?? 0;
  const { worker, startedAtMs, knownSkewMs } = next.process;
  if (world.hadWrongClock(before.process.worker, endedAtMs, startedAtMs)) return false;
  return knownSkewMs !== null || !world.hadWrongClock(worker, startedAtMs, startedAtMs);
}

/** The processes of one job, in the order in which they started. */
function checkBesideEachOther(attempts: readonly Attempt[], maxConcurrent: number, wrong: Wrong): void {
  let running: Attempt[] = [];
  for (const next of attempts) {
    running = running.filter((earlier) => isBeside(earlier, next));
    const others = running.filter(({ process }) => process.runId !== next.process.runId);
    if (others.length >= maxConcurrent) {
      const names = others.map(({ process }) => process.runId).join(', ');
      wrong(next, `ran beside ${names}, although its job allows ${maxConcurrent} at once`);
    }
    running.push(next);
  }
}

/** The processes of one worker never weigh more than it has room for. */
function checkCapacity(world: World, attempts: readonly Attempt[], wrong: Wrong): void {
  const capacity = world.scenario.node.capacity ?? NODE_DEFAULTS.capacity;
  let running: Attempt[] = [];
  for (const next of attempts) {
    running = [...running.filter((one) => isBeside(one, next)), next];
    const weights = running.map(({ claim }) => Number((claim && definitionOf(claim)?.weight) ?? 1));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    if (sum > capacity) wrong(next, `made a load of ${sum} on a worker with room for ${capacity}`);
  }
}

function isBeside(earlier: Attempt, later: Attempt): boolean {
  return endOf(earlier) > later.process.startedAtMs;
}

function endOf({ process }: Attempt): number {
  return process.endedAtMs ?? Infinity;
}

/** The shortest wait that its job's definition allows after this attempt; 0 when it is not followed by a retry. */
function retryDelayAfter({ process, claim }: Attempt): number {
  const failed = process.how === 'exit 1' || process.how === 'timed-out';
  if (!failed || claim?.end !== 'handed-back') return 0;
  const { retries } = (definitionOf(claim) ?? {}) as { retries?: { delay?: string } };
  return parseDuration(retries?.delay ?? '0s') ?? 0;
}

function checkCount(
  world: World,
  history: CheckedHistory,
  runId: string,
  attempts: readonly Attempt[],
  violations: Violation[],
): void {
  const job = attempts[0]!.process.job;
  const { retries, recovery } = policiesOf(world, job) as Definition & { retries?: { attempts: number } };
  const crashes = recovery === 'abandon' ? 0 : NODE_DEFAULTS.maxCrashes;
  const allowed = (retries?.attempts ?? 1) + crashes + (history.handBacks.get(runId) ?? 0);
  const wrong = (text: string): void => void violations.push({ subject: runId, text, atMs: null });
  if (attempts.length > allowed) wrong(`was started ${attempts.length} times, ${allowed} are allowed`);
  const record = history.records.get(runId);
  if (record && record.missed === null && record.attempts < attempts.length)
    wrong(`was started ${attempts.length} times, and its record says ${record.attempts}`);
  if (record && record.crashes > NODE_DEFAULTS.maxCrashes) wrong(`crashed ${record.crashes} times`);
}

function definitionOf({ definition }: Claim): Definition | null {
  try {
    return JSON.parse(definition) as Definition;
  } catch {
    return null;
  }
}

function grouped<T>(list: readonly T[], keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return groups;
}
