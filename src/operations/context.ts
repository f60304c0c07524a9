/**
 * What people do to a cluster, each in one function that knows no terminal and no HTTP: the command line and the API call the
 * same ones, so that both refuse the same things with the same words. All of them reject with an `EtcronError`, a `StoreError`
 * among them.
 */
import type { Clock } from '../clock.js';
import type { Cluster } from '../etcd/cluster.js';

export interface OperationContext extends Cluster {
  readonly clock: Clock;
  /** Who asks, for the records that others read. */
  readonly actor: { readonly name: string };
}

/** Somebody can change the same thing between a read and a write; more often than this they do not. */
export const MAX_TRIES = 5;
