import { StoreError } from './store-error.js';

/** A revision, version or count as a number. Refuses what a number cannot hold exactly, instead of rounding it. */
export function toSafeNumber(int64: string | number): number {
  const number = Number(int64);
  if (Number.isSafeInteger(number)) return number;
  throw tooLarge(int64);
}

export function tooLarge(int64: string | number | bigint): StoreError {
  return new StoreError(
    'ETCRON_ETCD_REFUSED',
    `etcd answered with ${int64}, which is too large for a revision`,
    {
      maybeApplied: true,
      transient: false,
    },
  );
}
