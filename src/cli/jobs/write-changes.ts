/** Writes the difference that was computed, in as few transactions as etcd's limits allow. */
import { EtcronError } from '../../errors.js';
import type { Keys } from '../../etcd/keys.js';
import { StoreError } from '../../etcd/store-error.js';
import { MAX_TXN_OPERATIONS, type Operation } from '../../etcd/store.js';
import { del, get, modifiedAt, put } from '../../etcd/txn.js';
import { quote, serializeDefinition, type JobChange } from '../../jobs/index.js';
import type { Cluster } from '../environment.js';

export interface PlannedWrite {
  readonly change: JobChange;
  /** The revision of the value that the change was computed on; 0 when there was none. */
  readonly seenRevision: number;
}

/** etcd takes 1.5 MiB in one request by default. */
const MAX_TXN_BYTES = 1024 * 1024;

/**
 * Each transaction is all or nothing. Rejects with ETCRON_CONFLICT when a job is not as it was seen, and says in every
 * error how much was applied before.
 */
export async function writeChanges({ store, keys }: Cluster, writes: readonly PlannedWrite[]): Promise<void> {
  let applied = 0;
  for (const batch of inBatches(writes)) {
    try {
      const result = await store.txn({
        compare: batch.map(({ change, seenRevision }) => modifiedAt(keys.job(change.name), seenRevision)),
        success: batch.map(({ change }) => toOperation(keys, change)),
        failure: batch.map(({ change }) => get(keys.job(change.name))),
      });
      if (!result.succeeded) {
        throw conflict(
          batch.filter(({ seenRevision }, index) => {
            const answer = result.results[index];
            return (answer?.type === 'get' ? (answer.kvs[0]?.modRevision ?? 0) : 0) !== seenRevision;
          }),
        );
      }
    } catch (error) {
      throw error instanceof EtcronError ? withProgress(error, applied, writes.length) : error;
    }
    applied += batch.length;
  }
}

function toOperation(keys: Keys, { name, after }: JobChange): Operation {
  return after === null ? del(keys.job(name)) : put(keys.job(name), serializeDefinition(after));
}

function* inBatches(writes: readonly PlannedWrite[]): Generator<PlannedWrite[]> {
  let batch: PlannedWrite[] = [];
  let bytes = 0;
  for (const write of writes) {
    const { name, after } = write.change;
    const size = 2 * name.length + (after === null ? 0 : Buffer.byteLength(serializeDefinition(after)));
    if (batch.length === MAX_TXN_OPERATIONS || (batch.length > 0 && bytes + size > MAX_TXN_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(write);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function conflict(changed: readonly PlannedWrite[]): EtcronError {
  const names = changed.map(({ change }) => change.name);
  const shown = names
    .slice(0, 5)
    .map((name) => quote(name))
    .join(', ');
  const rest = names.length > 5 ? ` and ${names.length - 5} more` : '';
  return new EtcronError('ETCRON_CONFLICT', `somebody else changed ${shown}${rest} in the meantime`, {
    hint: 'Apply again: the difference is computed anew, and what has been applied is unchanged then.',
    details: { names },
  });
}

/** The same error, saying what is in etcd already. */
function withProgress(error: EtcronError, applied: number, total: number): EtcronError {
  const uncertain = error instanceof StoreError && error.maybeApplied;
  if (applied === 0 && !uncertain) {
    return new EtcronError(
      error.code,
      `${error.message}; nothing was applied`,
      options(error, { applied, total }),
    );
  }
  const progress = `${applied} of ${total} changes were applied${uncertain ? ', and perhaps the next ones' : ''}`;
  return new EtcronError(error.code, `${error.message}; ${progress}`, {
    ...options(error, { applied, total }),
    hint: error.hint ?? 'Apply again: what has been applied is unchanged then.',
  });
}

function options(error: EtcronError, progress: { applied: number; total: number }) {
  const { hint, details, cause } = error;
  return { details: { ...details, ...progress }, cause, ...(hint === undefined ? {} : { hint }) };
}
