import { EtcronError, type ErrorCode, type ErrorOptions } from '../errors.js';

export interface StoreErrorOptions extends ErrorOptions {
  /** The request may have been applied although no answer came: a lost reply, a deadline, a broken connection. */
  maybeApplied: boolean;
  /** The same request may succeed later. */
  transient: boolean;
}

/** What a `Store` rejects with. `maybeApplied` decides whether a write may be treated as not having happened. */
export class StoreError extends EtcronError {
  readonly maybeApplied: boolean;
  readonly transient: boolean;

  constructor(code: ErrorCode, message: string, options: StoreErrorOptions) {
    super(code, message, options);
    this.name = 'StoreError';
    this.maybeApplied = options.maybeApplied;
    this.transient = options.transient;
  }
}
