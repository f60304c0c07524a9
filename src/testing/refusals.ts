/** The errors of the in-memory store, with the codes and flags of the real one. */
import { StoreError } from '../etcd/store-error.js';

/** etcd understood the request and will not do it, now or later. Nothing was applied. */
export function refused(reason: string, details: Record<string, unknown> = {}): StoreError {
  return new StoreError('ETCRON_ETCD_REFUSED', `etcd refused the request: ${reason}`, {
    details,
    maybeApplied: false,
    transient: false,
  });
}

export function compacted(compactRevision: number): StoreError {
  return refused('required revision has been compacted', { compacted: true, compactRevision });
}

/** A put names a lease that is gone; the whole transaction is refused. */
export function leaseNotFound(leaseId: string): StoreError {
  return new StoreError('ETCRON_LEASE_LOST', `the lease ${leaseId} is gone`, {
    details: { leaseId },
    maybeApplied: false,
    transient: false,
  });
}

/** No answer before the deadline; whether the request arrived is not known. */
export function timedOut(what: string, deadlineMs: number): StoreError {
  return new StoreError('ETCRON_ETCD_TIMEOUT', `etcd did not answer ${what} within ${deadlineMs} ms`, {
    details: { deadlineMs },
    maybeApplied: true,
    transient: true,
  });
}

/** The connection broke. With `maybeApplied` the request may have been on its way. */
export function unreachable(reason: string, maybeApplied: boolean): StoreError {
  return new StoreError('ETCRON_ETCD_UNREACHABLE', `etcd is out of reach: ${reason}`, {
    maybeApplied,
    transient: true,
  });
}
