/** What `etcron top` shows at one moment: plain facts, from which the screen is drawn. */
import type { Outcome } from '../../history/run-record.js';

export interface TopModel {
  readonly nowMs: number;
  /** Where it looks: the prefix, or the server. */
  readonly source: string;
  /** False: what is shown may be old. */
  readonly isLive: boolean;
  readonly leader: { readonly nodeId: string; readonly sinceMs: number } | null;
  /** By name. */
  readonly workers: readonly TopWorker[];
  readonly jobs: { readonly total: number; readonly broken: number };
  readonly counts: Readonly<Record<'planned' | 'running' | 'late' | 'queued' | 'retrying', number>>;
  /** The longest first. */
  readonly running: readonly TopRun[];
  /** The soonest first. */
  readonly next: readonly { readonly runId: string; readonly dueMs: number }[];
  /** The last minutes, the present one last. */
  readonly minutes: readonly TopMinute[];
  /** The newest first. */
  readonly failures: readonly TopFailure[];
}

export interface TopWorker {
  readonly name: string;
  readonly nodeId: string;
  readonly state: 'active' | 'draining' | 'drained' | 'clock off';
  readonly load: number;
  readonly capacity: number;
}

export interface TopRun {
  readonly runId: string;
  readonly worker: string;
  readonly attempt: number;
  /** Since when it runs, or was to. */
  readonly sinceMs: number;
}

/** What ended within one minute. */
export interface TopMinute {
  /** Its begin. */
  readonly fromMs: number;
  readonly runs: number;
  readonly failed: number;
  /** Of what started; null where nothing did. */
  readonly lateness: { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number } | null;
}

export interface TopFailure {
  readonly runId: string;
  readonly outcome: Outcome;
  readonly atMs: number;
  readonly reason: string;
}
