/**
 * Keeps the audit record within bounds of age, number and size, the newest kept. Changes are made by people, so this looks
 * seldom, and at keys only: they tell time and size.
 */
import { parseAuditKey } from '../etcd/audit-key.js';
import { listRange } from '../etcd/listing.js';
import { prefixRange } from '../etcd/store.js';
import { del } from '../etcd/txn.js';
import type { HousekeepingContext } from './housekeeping.js';

export interface AuditLimits {
  readonly maxAgeMs: number;
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** Pause between two looks. */
  readonly intervalMs: number;
}

export const DEFAULT_AUDIT_LIMITS: AuditLimits = {
  maxAgeMs: 180 * 86_400_000,
  maxRecords: 20_000,
  maxBytes: 64 * 1024 * 1024,
  intervalMs: 10 * 60_000,
};

/** Well below etcd's limit of 128 operations. */
const MAX_DELETES_PER_TXN = 120;

export class AuditPruning {
  #nextAtMs = -Infinity;

  constructor(private readonly context: HousekeepingContext) {}

  /** Rejects with `NotLeaderError` or a `StoreError`. Keys that are no audit records are left alone. */
  async pruneIfDue(): Promise<void> {
    const { store, keys, clock, log, options, writer } = this.context;
    const limits = options.audit;
    if (clock.monotonicMs() < this.#nextAtMs) return;
    const { kvs } = await listRange(store, prefixRange(keys.audit), {
      pageSize: options.pageSize,
      keysOnly: true,
    });
    const surplus = surplusOf([...kvs.keys()], keys.audit.length, clock.now(), limits);
    for (let index = 0; index < surplus.length; index += MAX_DELETES_PER_TXN) {
      await writer.commit({
        operations: surplus.slice(index, index + MAX_DELETES_PER_TXN).map((key) => del(key)),
      });
    }
    this.#nextAtMs = clock.monotonicMs() + limits.intervalMs;
    if (surplus.length > 0) log.debug({ records: surplus.length }, 'pruned the audit record');
  }
}

/** From the newest to the oldest, until a bound is reached: from there on all. */
function surplusOf(
  sorted: readonly string[],
  prefixLength: number,
  nowMs: number,
  { maxAgeMs, maxRecords, maxBytes }: AuditLimits,
): string[] {
  const surplus: string[] = [];
  let records = 0;
  let bytes = 0;
  for (const key of sorted.toReversed()) {
    const parsed = parseAuditKey(key.slice(prefixLength));
    if (parsed === null) continue;
    records += 1;
    bytes += parsed.sizeBytes;
    if (records > maxRecords || bytes > maxBytes || nowMs - parsed.atMs > maxAgeMs) surplus.push(key);
  }
  return surplus;
}
