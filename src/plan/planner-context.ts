/** What planning works with. */
import type { Clock } from '../clock.js';
import type { Keys } from '../etcd/keys.js';
import type { Operation, Store } from '../etcd/store.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView } from '../view/cluster-view.js';
import type { Enrolment, Standby } from './standby.js';

export interface PlannerOptions {
  /** How far ahead firings are planned; longer than lease TTL + takeover. */
  readonly horizonMs: number;
  readonly strideMs: number;
  /** A firing that nobody started this long after the time at which it may start goes through the job's misfire policy. */
  readonly misfireAfterMs: number;
}

export interface PlannerContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly view: ClusterView;
  readonly standby: Standby;
  readonly options: PlannerOptions;
  /** In office, and sure of it now. */
  readonly isLeader: () => boolean;
  /** A fenced transaction was refused. */
  readonly onFenced: () => void;
  /** What was written as the leader, once it stands in etcd. */
  readonly onWritten?: ((operations: readonly Operation[]) => void) | undefined;
}

/** The same for one term. */
export interface TermContext extends PlannerContext {
  readonly enrolment: Enrolment;
}

/** Jobs that are planned side by side, so that their writes share transactions. */
export const JOBS_AT_ONCE = 64;
/** Where something damaged what was planned, this much of the past is planned again (what was done already is found out). */
export const REPLAN_AFTER_DAMAGE_MS = 60_000;
