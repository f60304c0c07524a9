/** Sending a transaction until its outcome is certain. */
import { Backoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import { StoreError } from '../etcd/store-error.js';
import type { Txn, TxnResult } from '../etcd/store.js';

export interface PersistContext {
  readonly clock: Clock;
  readonly random: () => number;
  /** Ends the trying: the promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

/**
 * Submits `txn` again and again while the error is a passing one. The transaction must be safe to send twice. Rejects
 * with a `StoreError` that trying again cannot cure, or with the signal's reason.
 */
export async function persist(
  submit: (txn: Txn) => Promise<TxnResult>,
  txn: Txn,
  { clock, random, signal }: PersistContext,
): Promise<TxnResult> {
  const backoff = new Backoff(50, 2_000, random);
  for (;;) {
    signal.throwIfAborted();
    try {
      return await submit(txn);
    } catch (error) {
      if (!(error instanceof StoreError) || !error.transient) throw error;
      await sleep(clock, backoff.nextMs(), signal);
    }
  }
}
