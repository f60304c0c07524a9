import type { Clock } from '../clock.js';
import type { Logger } from '../telemetry/logger.js';
import type { RunIdentity } from './child-environment.js';
import type { OutputTail } from './output-tail.js';

export interface RunRequest {
  /** A string goes to `/bin/sh -c`; an array is a program and its arguments, without a shell. */
  readonly command: string | readonly string[];
  /** The job's own variables; see `childEnvironment`. */
  readonly env: Readonly<Record<string, string>>;
  /** null: where the worker itself was started. */
  readonly cwd: string | null;
  readonly timeoutMs: number | null;
  readonly identity: RunIdentity;
  /** From SIGTERM to SIGKILL, after a timeout and for leftovers. */
  readonly killGraceMs: number;
}

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
  /** No process ever ran. */
  | { readonly kind: 'start-failed'; readonly message: string; readonly hint?: string };

export interface RunResult {
  readonly ending: RunEnding;
  /** Wall clock, right after the process began to execute. */
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

export interface RunningCommand {
  /** null when it could not be started. */
  readonly pid: number | null;
  /** Equal to `pid`: the main process leads its group and session. */
  readonly processGroupId: number | null;
  /** The value of `ETCRON_RUN_MARKER` in the environment of every process of this run. */
  readonly marker: string;
  readonly startedAtMs: number;
  /**
   * Ends the whole tree: SIGTERM, and SIGKILL after `graceMs` (0: SIGKILL at once; default `killGraceMs`). Idempotent: the
   * first reason stands, and the earlier SIGKILL.
   */
  kill(reason: string, graceMs?: number): void;
  /** Never rejects; resolves when the tree is gone. */
  readonly result: Promise<RunResult>;
}

export interface RunContext {
  readonly clock: Clock;
  readonly log: Logger;
}
