import type { EndpointStatus } from '../../etcd/store.js';
import type { Snapshot } from '../../operations/snapshot.js';

/** Everything that is judged, gathered once. */
export interface DoctorFacts {
  readonly nowMs: number;
  readonly snapshot: Snapshot;
  readonly etcd: EtcdFacts;
  /** Keys under the prefix that etcron did not write, or whose values are damaged. */
  readonly foreign: readonly ForeignKey[];
  /** What the workers' clocks showed when they were heard of; those that were not heard in time are absent. */
  readonly clocks: readonly WorkerClock[];
}

export interface EtcdFacts {
  /** Those that answer. */
  readonly members: readonly EndpointStatus[];
  /** Endpoints that were given and do not answer. */
  readonly silent: readonly string[];
  /** How long reads through the quorum took, ms. */
  readonly readsMs: readonly number[];
  /** So many of the newest revisions can still be read; null when they cannot, or are not that many. */
  readonly uncompacted: number | null;
  /** How this command talks to etcd; null when it does not do so itself (--server). */
  readonly access: EtcdAccess | null;
}

export interface EtcdAccess {
  /** With a user, or with a client certificate. */
  readonly isAuthenticated: boolean;
  readonly isEncrypted: boolean;
  /** All endpoints are on this machine. */
  readonly isLocal: boolean;
}

export interface ForeignKey {
  readonly key: string;
  readonly problem: string;
}

export interface WorkerClock {
  readonly nodeId: string;
  /** Its clock − the clock of this machine, ms; the way of the message makes it some ms too small. */
  readonly aheadMs: number;
}
