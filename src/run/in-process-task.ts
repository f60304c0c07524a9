/**
 * A task without a process: a request, or a function of the worker's own.
 *
 *   start ──▶ running ── work settles ────────────────────────────────▶ result
 *                └─ kill, timeout ──▶ aborted ── work settles, or grace ends ──▲
 *
 * Nothing can end such work from outside. It is asked to end by an `AbortSignal`; work that does not listen is given up
 * after the grace, and may go on. Where that must not be, `onIgnored` is told instead: then the run is over when its work
 * is, however long that takes.
 */
import { randomUUID } from 'node:crypto';
import type { Timer } from '../clock.js';
import { messageOf } from '../errors.js';
import { NO_MASK, type Mask } from './mask.js';
import { NO_LOG, type AttemptLog } from './output/attempt-log.js';
import { PacedReading } from './output/paced-reading.js';
import { NO_OUTPUT, type OutputSink } from './output-tail.js';
import type {
  PreparedTask,
  RunContext,
  RunEnding,
  RunningTask,
  RunRequest,
  RunResult,
} from './running-task.js';
import type { StartFailure } from './start-failure.js';

export interface Work {
  /** Aborted when the run is to end. */
  readonly signal: AbortSignal;
  /** It is aborted; for work that asks once, and needs no signal. */
  readonly isAborted: boolean;
  /** What the run record keeps as its output. */
  readonly stdout: OutputSink;
  readonly stderr: OutputSink;
  /** So many bytes were written: resolves when more may come, for work whose output has no bound. */
  readonly took: (bytes: number) => Promise<void>;
}

/** How work ends by itself. */
export type WorkEnding = Extract<RunEnding, { kind: 'completed' | 'failed' | 'start-failed' }>;

/** Why it was to end, and did not. */
export type IgnoredEnd = Extract<RunEnding, { kind: 'timed-out' | 'killed' }>;

/**
 * `work` is called when the run starts; where it rejects, the run has failed with the error's message. With `onIgnored`,
 * called whenever a grace is over, work is never given up.
 */
export function prepareInProcess(
  request: Pick<RunRequest, 'timeoutMs' | 'killGraceMs'>,
  context: RunContext,
  work: (work: Work) => Promise<WorkEnding>,
  onIgnored?: (why: IgnoredEnd) => void,
): PreparedTask {
  const marker = randomUUID();
  return {
    marker,
    hasProcesses: false,
    start: () => startInProcess(marker, request, context, work, onIgnored),
  };
}

/** A task that cannot be done here. */
export function prepareStartFailure(context: RunContext, failure: StartFailure): PreparedTask {
  return prepareInProcess({ timeoutMs: null, killGraceMs: 0 }, context, () =>
    Promise.resolve({ kind: 'start-failed', ...failure }),
  );
}

/** Starts it now. Nothing that `mask` hides gets into the result. */
export function startInProcess(
  marker: string,
  { timeoutMs, killGraceMs }: Pick<RunRequest, 'timeoutMs' | 'killGraceMs'>,
  context: RunContext,
  work: (work: Work) => Promise<WorkEnding>,
  onIgnored: ((why: IgnoredEnd) => void) | undefined,
  mask: Mask = NO_MASK,
): RunningTask {
  const { clock } = context;
  const startedAtMs = clock.now();
  const startedMonotonicMs = clock.monotonicMs();
  // Thousands may start at one moment, and most of them ask for none of these.
  let output: { log: AttemptLog; reading: PacedReading; stdout: OutputSink; stderr: OutputSink } | null =
    null;
  let abort: AbortController | null = null;
  const timers: Timer[] = [];
  /** Why it was aborted; null while it was not. */
  let cause: IgnoredEnd | null = null;
  let over = false;
  let resolve!: (result: RunResult) => void;
  const result = new Promise<RunResult>((settle) => (resolve = settle));

  const finish = (ending: RunEnding): void => {
    if (over) return;
    over = true;
    for (const timer of timers) timer.cancel();
    const tails = { stdout: output?.stdout.tail() ?? NO_OUTPUT, stderr: output?.stderr.tail() ?? NO_OUTPUT };
    output?.log.end();
    resolve({
      ending: cause ?? masked(ending, mask),
      startedAtMs,
      endedAtMs: clock.now(),
      durationMs: clock.monotonicMs() - startedMonotonicMs,
      ...tails,
      leftovers: 0,
    });
  };
  const end = (why: IgnoredEnd, graceMs: number): void => {
    if (over) return;
    cause ??= why;
    abort?.abort(reasonOf(cause));
    const giveUp = (): void => {
      if (onIgnored) return onIgnored(why);
      context.log.warn('the task did not end when it was asked to; it may go on in this worker');
      finish(why);
    };
    timers.push(clock.setTimer(graceMs, giveUp));
  };
  if (timeoutMs !== null) {
    const timedOut: IgnoredEnd = { kind: 'timed-out', exitCode: null, signal: null };
    timers.push(clock.setTimer(timeoutMs, () => end(timedOut, killGraceMs)));
  }
  const getOutput = (): NonNullable<typeof output> => {
    if (output !== null) return output;
    const log = context.openLog?.() ?? NO_LOG;
    return (output = {
      ...{ log, reading: new PacedReading(log) },
      stdout: mask.output((bytes) => log.write('stdout', bytes)),
      stderr: mask.output((bytes) => log.write('stderr', bytes)),
    });
  };
  const given: Work = {
    get signal() {
      if (abort === null) {
        abort = new AbortController();
        if (cause !== null) abort.abort(reasonOf(cause));
      }
      return abort.signal;
    },
    get isAborted() {
      return cause !== null;
    },
    get stdout() {
      return getOutput().stdout;
    },
    get stderr() {
      return getOutput().stderr;
    },
    took: (bytes) => getOutput().reading.took(bytes),
  };
  const failed = (error: unknown): void => finish({ kind: 'failed', reason: messageOf(error) });
  // In a turn of its own, so that whoever starts it hears of the start first, whatever the work does.
  queueMicrotask(() => void work(given).then(finish, failed));

  return {
    ...{ pid: null, processGroupId: null, marker, startedAtMs, result },
    kill: (reason, graceMs = killGraceMs) =>
      end({ kind: 'killed', reason, exitCode: null, signal: null }, graceMs),
  };
}

function reasonOf(why: IgnoredEnd): DOMException {
  return new DOMException(abortMessage(why), 'AbortError');
}

function abortMessage(why: IgnoredEnd): string {
  return why.kind === 'timed-out'
    ? 'the run took longer than its timeout'
    : `the run was ended: ${why.reason}`;
}

function masked(ending: RunEnding, mask: Mask): RunEnding {
  return ending.kind === 'failed' ? { ...ending, reason: mask.text(ending.reason) } : ending;
}
