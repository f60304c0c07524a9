/** Writes the difference that was computed, in as few transactions as etcd's limits allow. */
import { EtcronError } from '../errors.js';
import type { Cluster } from '../etcd/cluster.js';
import type { Keys } from '../etcd/keys.js';
import { StoreError } from '../etcd/store-error.js';
import { MAX_TXN_OPERATIONS, type Operation } from '../etcd/store.js';
import { del, get, modifiedAt, put } from '../etcd/txn.js';
import { quote, serializeDefinition, type JobChange } from '../jobs/index.js';
import { encodeMark } from './job-sets.js';

export interface PlannedWrite {
  readonly change: JobChange;
  /** The revision of the value that the change was computed on; 0 when there was none. */
  readonly seenRevision: number;
  /** Without it, which set manages the job is neither looked at nor changed. */
  readonly mark?: {
    /** Of the mark; 0 when there was none. */
    readonly seenRevision: number;
    /** The name of the set, null for no mark, undefined to leave it. */
    readonly becomes: string | null | undefined;
  };
}

/** A value that must be as it was seen. */
interface Seen {
  readonly key: string;
  readonly revision: number;
}

/** etcd takes 1.5 MiB in one request by default. */
const MAX_TXN_BYTES = 1024 * 1024;
/** One is left for the record of who made the change. */
const MAX_OPERATIONS = MAX_TXN_OPERATIONS - 1;

/**
 * Each transaction is all or nothing. Rejects with ETCRON_CONFLICT when a job is not as it was seen, and says in every
 * error how much was applied before.
 */
export async function writeChanges({ store, keys }: Cluster, writes: readonly PlannedWrite[]): Promise<void> {
  let applied = 0;
  for (const batch of inBatches(writes)) {
    try {
      const seen = batch.map((write) => seenBy(keys, write));
      const result = await store.txn({
        compare: seen.flat().map(({ key, revision }) => modifiedAt(key, revision)),
        success: batch.flatMap((write) => operationsOf(keys, write)),
        failure: seen.flat().map(({ key }) => get(key)),
      });
      if (!result.succeeded) {
        const found = new Map(
          result.results.flatMap((answer) =>
            answer.type === 'get' ? answer.kvs.map((kv) => [kv.key, kv.modRevision]) : [],
          ),
        );
        const isOther = ({ key, revision }: Seen): boolean => (found.get(key) ?? 0) !== revision;
        throw conflict(batch.filter((_, index) => seen[index]!.some(isOther)));
      }
    } catch (error) {
      throw error instanceof EtcronError ? withProgress(error, applied, writes.length) : error;
    }
    applied += batch.length;
  }
}

function seenBy(keys: Keys, { change: { name }, seenRevision, mark }: PlannedWrite): Seen[] {
  const job = { key: keys.job(name), revision: seenRevision };
  return mark ? [job, { key: keys.setOf(name), revision: mark.seenRevision }] : [job];
}

function operationsOf(keys: Keys, { change, mark }: PlannedWrite): Operation[] {
  const { kind, name, after } = change;
  const operations: Operation[] = [];
  if (after === null) operations.push(del(keys.job(name)));
  else if (kind !== 'unchanged') operations.push(put(keys.job(name), serializeDefinition(after)));
  if (mark?.becomes === null) operations.push(del(keys.setOf(name)));
  else if (mark?.becomes !== undefined) operations.push(put(keys.setOf(name), encodeMark(mark.becomes)));
  return operations;
}

function* inBatches(writes: readonly PlannedWrite[]): Generator<PlannedWrite[]> {
  let batch: PlannedWrite[] = [];
  let bytes = 0;
  let operations = 0;
  for (const write of writes) {
    const { name, after } = write.change;
    const size = 8 * name.length + (after === null ? 0 : Buffer.byteLength(serializeDefinition(after)));
    // What is compared and what is written: at most the job and its mark.
    const count = write.mark ? 2 : 1;
    if (operations + count > MAX_OPERATIONS || (batch.length > 0 && bytes + size > MAX_TXN_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
      operations = 0;
    }
    batch.push(write);
    operations += count;
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
