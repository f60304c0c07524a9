/** Everything that a chaos run leaves behind for its checks. */
import type { RunRecord } from '../../src/history/run-record.js';
import type { ObservedAttempt } from '../evidence.js';
import type { ChaosJob } from '../jobs.js';

export interface Observations {
  readonly jobs: Readonly<Record<string, ChaosJob>>;
  /** From the commands' own file, in the order of their starts. */
  readonly attempts: readonly ObservedAttempt[];
  /** From etcd, by run id. */
  readonly records: ReadonlyMap<string, RunRecord>;
  /** Run ids of the firings that are left when the run is over. */
  readonly firings: readonly string[];
  /** Due times in (fromMs, throughMs] must be accounted for. */
  readonly fromMs: number;
  readonly throughMs: number;
  /** Workers that were killed or frozen together with their watchdogs. */
  readonly forsaken: ReadonlySet<number>;
  /** Workers whose clocks were moved. */
  readonly withMovedClock: ReadonlySet<number>;
  /** When a worker heard that etcd had ended its lease before its time, by process id. */
  readonly robbedAtMs: ReadonlyMap<number, number>;
  /** When a worker was killed, by process id. */
  readonly killedAtMs: ReadonlyMap<number, number>;
}

/** The columns of the table that a run ends with; of none may there be any. */
export type Broken = 'early' | 'duplicate' | 'overlap' | 'lost' | 'false record' | 'stuck';

export interface Violation {
  readonly broken: Broken;
  readonly subject: string;
  readonly text: string;
}
