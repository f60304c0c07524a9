import { EtcronError } from '../../errors.js';
import { StoreError } from '../../etcd/store-error.js';
import { problemOf } from '../problem.js';

/** With what a `Store` says beside the message, among the details. */
export function tellable(error: StoreError): EtcronError {
  const { code, message, hint, details, maybeApplied, transient } = error;
  return new EtcronError(code, message, {
    ...(hint === undefined ? {} : { hint }),
    details: { ...details, store: { maybeApplied, transient } },
    cause: error,
  });
}

/** As a problem document, for a stream that has begun. */
export function toldInStream(error: EtcronError): unknown {
  return problemOf(error instanceof StoreError ? tellable(error) : error);
}
