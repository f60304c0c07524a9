import type { Job } from '../../jobs/index.js';
import type { ProcessGroup } from './messages.js';

/** What a worker tells whoever cleans up after it. Nothing here waits or throws. */
export interface WorkerWatch {
  /** The session is open, or was renewed: until `trustedUntilMs`, on the worker's monotonic clock, its lease stands. */
  setSession(session: SessionFacts): void;
  /** The session is over; its lease is nobody's concern any more. */
  clearSession(): void;
  /** Right before the spawn: a process with this marker may exist from now on. */
  runStarting(run: {
    readonly marker: string;
    readonly recovery: Job['recovery'];
    /** It is ordered from a launcher, which is told of it after the next `flush`. */
    readonly startsElsewhere?: boolean;
  }): void;
  /** As soon as it is known after it. Without `startTicks` in the same turn of the event loop. */
  runStarted(run: {
    readonly marker: string;
    readonly processGroupId: number;
    /** Where it may have been reaped already. */
    readonly startTicks?: number | null;
  }): void;
  /** Nothing of the run is left. */
  runEnded(marker: string): void;
}

/** What a worker tells of the process that starts commands for it. */
export interface LauncherWatch {
  /** Before it gets its first order. */
  launcherStarted(launcher: { readonly marker: string; readonly group: ProcessGroup }): void;
  /** No copy of it is left. */
  launcherEnded(marker: string): void;
  /** Hands everything that was told to the kernel: before orders. */
  flush(): void;
}

export interface SessionFacts {
  readonly leaseId: string;
  readonly ttlMs: number;
  readonly trustedUntilMs: number;
}
