import type { RunObserver } from '../claim/run-observer.js';
import type { Operation } from '../etcd/store.js';

/** Who wants to hear what becomes of a node. Its functions must not throw. */
export interface NodeObserver extends RunObserver {
  /** A life has begun: it has a lease, and takes up work. */
  readonly ready?: (nodeId: string) => void;
  /** The lease is gone. Another life begins as soon as etcd grants one. */
  readonly lost?: (nodeId: string) => void;
  /** The lease was not renewed in time, and is not relied on until it is. */
  readonly trustLost?: (nodeId: string) => void;
  readonly elected?: (nodeId: string) => void;
  readonly deposed?: (nodeId: string, reason: string) => void;
  /** What the node wrote as the leader, once it stands in etcd. */
  readonly written?: (operations: readonly Operation[]) => void;
}

/** One observer that tells each of them, in order. */
export function joinObservers(...observers: readonly (NodeObserver | undefined)[]): NodeObserver {
  const all = observers.filter((one) => one !== undefined);
  const only = all.length === 1 ? all[0] : undefined;
  if (only !== undefined) return only;
  return {
    ready: (nodeId) => all.forEach((one) => one.ready?.(nodeId)),
    lost: (nodeId) => all.forEach((one) => one.lost?.(nodeId)),
    trustLost: (nodeId) => all.forEach((one) => one.trustLost?.(nodeId)),
    elected: (nodeId) => all.forEach((one) => one.elected?.(nodeId)),
    deposed: (nodeId, reason) => all.forEach((one) => one.deposed?.(nodeId, reason)),
    written: (operations) => all.forEach((one) => one.written?.(operations)),
    runStarted: (attempt, latenessMs, kind) =>
      all.forEach((one) => one.runStarted?.(attempt, latenessMs, kind)),
    runEnded: (attempt, record, next) => all.forEach((one) => one.runEnded?.(attempt, record, next)),
    runRecorded: (outcome) => all.forEach((one) => one.runRecorded?.(outcome)),
    claimAnswered: (answer) => all.forEach((one) => one.claimAnswered?.(answer)),
  };
}
