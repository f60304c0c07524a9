/**
 * An `abandon` run may outlive its worker's lease. Somebody else has then recorded the firing as `lost`; how the process
 * really ended is added to that record. It never becomes a second one.
 */
import { Backoff } from '../backoff.js';
import { sleep, type Clock } from '../clock.js';
import type { Keys } from '../etcd/keys.js';
import { singleKey, type Store } from '../etcd/store.js';
import { StoreError } from '../etcd/store-error.js';
import { modifiedAt, put } from '../etcd/txn.js';
import { decodeRun, encodeRun, type RunRecord } from '../history/run-record.js';
import type { Logger } from '../telemetry/logger.js';
import type { Claim } from './claim-txn.js';

export interface AmendContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal;
  readonly log: Logger;
}

/** The record appears when another worker notices the lost lease, and that takes an etcd that answers. */
const GIVE_UP_AFTER_MS = 10 * 60_000;

/** Never rejects: what cannot be amended is logged, with the result. */
export async function amendLost(context: AmendContext, claim: Claim, late: RunRecord): Promise<void> {
  const { clock, random, signal, log } = context;
  const backoff = new Backoff(250, 10_000, random);
  const endMs = clock.monotonicMs() + GIVE_UP_AFTER_MS;
  const { outcome, exitCode, durationMs } = late;
  try {
    while (clock.monotonicMs() < endMs) {
      if (await tryAmend(context, claim, late)) {
        log.info({ outcome, exitCode, durationMs }, 'a late result was added to the record of the lost run');
        return;
      }
      await sleep(clock, backoff.nextMs(), signal);
    }
  } catch (error) {
    log.debug({ err: error }, 'a late result was not recorded');
  }
  log.warn({ outcome, exitCode, durationMs }, 'a late result could not be recorded');
}

async function tryAmend({ store, keys }: AmendContext, claim: Claim, late: RunRecord): Promise<boolean> {
  const key = keys.run(claim.id);
  try {
    const [kv] = (await store.range(singleKey(key))).kvs;
    const record = kv && decodeRun(kv);
    if (!kv || !record?.ok) return false;
    const { outcome, nodeId, attempts, late: known } = record.value;
    const isOurs = outcome === 'lost' && nodeId === late.nodeId && attempts === claim.firing.attempt;
    // Somebody else's record, or already amended: nothing is left to do.
    if (!isOurs || known !== null) return true;
    const { exitCode, signal, endedAt, durationMs, stdout, stderr, startedAt, latenessMs } = late;
    const amended: RunRecord = {
      ...record.value,
      ...{ startedAt, latenessMs, stdout, stderr },
      late: { outcome: late.outcome, exitCode, signal, endedAt, durationMs },
    };
    const result = await store.txn({
      compare: [modifiedAt(key, kv.modRevision)],
      success: [put(key, encodeRun(amended))],
    });
    return result.succeeded;
  } catch (error) {
    if (error instanceof StoreError && error.transient) return false;
    throw error;
  }
}
