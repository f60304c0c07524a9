import type { Clock } from '../clock.js';
import type { SecretSource, Task } from '../jobs/index.js';
import type { Logger } from '../telemetry/logger.js';
import type { RunIdentity } from './child-environment.js';
import type { AttemptLog } from './output/attempt-log.js';
import type { OutputTail } from './output-tail.js';

/** One attempt: what is to be done, for which firing, and within which bounds. */
export interface RunRequest {
  readonly task: Task;
  /** Where this worker finds the values; they are read when the attempt starts. */
  readonly secrets: Readonly<Record<string, SecretSource>>;
  /** IANA name; times in templates are written in it. */
  readonly timezone: string;
  /** The due time before this one in the job's schedule; null: there is none. */
  readonly previousDueMs: () => number | null;
  readonly timeoutMs: number | null;
  readonly identity: RunIdentity;
  /** Of the worker that runs it. */
  readonly nodeId?: string;
  /** What is left to a task that is asked to end: from SIGTERM to SIGKILL, after a timeout and for leftovers. */
  readonly killGraceMs: number;
  /** Its processes may go on when the worker is gone (`recovery: abandon`). */
  readonly outlivesWorker?: boolean;
}

/** Makes a task ready for its due time. Never throws: what is wrong with a task is told by the run's result. */
export type PrepareTask = (request: RunRequest, context: RunContext) => PreparedTask;

export interface PreparedTask {
  /** The value of `ETCRON_RUN_MARKER` in the environment of every process of this run. */
  readonly marker: string;
  /** It works outside of the worker's process, so somebody has to end it when the worker cannot. */
  readonly hasProcesses: boolean;
  /** If it were started now, another process would start it, after this turn of the event loop. */
  readonly startsElsewhere?: boolean;
  /**
   * Once; without a launcher in the same turn of the event loop. The result is in the `RunningTask`. Never throws. What
   * cannot begin at once begins only while `permit` allows it.
   */
  start(permit?: StartPermit): RunningTask;
}

/** For how much longer a process may still be begun, ms; 0 or less: not any more. Asked again before each try. */
export type StartPermit = () => number;

export type RunEnding =
  | { readonly kind: 'exited'; readonly exitCode: number }
  /** Ended by a signal that was not ours. */
  | { readonly kind: 'signalled'; readonly signal: string }
  | { readonly kind: 'timed-out'; readonly exitCode: number | null; readonly signal: string | null }
  /** We ended it, through `kill` or `killAllNow`. */
  | {
      readonly kind: 'killed';
      readonly reason: string;
      readonly exitCode: number | null;
      readonly signal: string | null;
    }
  /** Of a task without a process, which ended by itself. */
  | { readonly kind: 'completed' }
  | { readonly kind: 'failed'; readonly reason: string }
  /** Nothing was done: no process ever ran, no request was sent. */
  | { readonly kind: 'start-failed'; readonly message: string; readonly hint?: string }
  /** The same: it could not begin for as long as its `StartPermit` lasted. It can be started again by whoever may. */
  | { readonly kind: 'not-started'; readonly reason: string }
  /** Nobody knows how it ended: who watched it died. Nothing of it is left. */
  | { readonly kind: 'lost'; readonly reason: string };

export interface RunResult {
  readonly ending: RunEnding;
  /** Wall clock, right after the process began to execute, or before the first byte of a request. */
  readonly startedAtMs: number;
  /** Wall clock, when the tree was gone. */
  readonly endedAtMs: number;
  /** From start to end on the monotonic clock. */
  readonly durationMs: number;
  readonly stdout: OutputTail;
  readonly stderr: OutputTail;
  /** How many processes had outlived a main process that ended by itself, and were ended. */
  readonly leftovers: number;
}

export interface RunningTask {
  /**
   * Resolves, never rejects, when `pid` and `startedAtMs` are known, before `result` does; false: it was never begun.
   * Absent: they are known from the first.
   */
  readonly begun?: Promise<boolean>;
  /** null when it could not be started, or has no process. */
  readonly pid: number | null;
  /** Equal to `pid`: the main process leads its group and session. */
  readonly processGroupId: number | null;
  /** Of the main process, in clock ticks since boot, where somebody else may have reaped it already. */
  readonly startTicks?: number | null;
  readonly marker: string;
  readonly startedAtMs: number;
  /**
   * Ends the whole tree: SIGTERM, and SIGKILL after `graceMs` (0: SIGKILL at once; default `killGraceMs`). What has no
   * process is aborted. Idempotent: the first reason stands, and the earlier SIGKILL.
   */
  kill(reason: string, graceMs?: number): void;
  /** Never rejects; resolves when nothing of the run is left. */
  readonly result: Promise<RunResult>;
}

export interface RunContext {
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the whole output of the attempt goes, once it starts; nowhere by default. */
  readonly openLog?: () => AttemptLog;
}
