/** Puts the jobs of files into etcd: creates and updates, never deletes. */
import type { Keys } from '../../etcd/keys.js';
import { listRange } from '../../etcd/listing.js';
import { prefixRange, type Store } from '../../etcd/store.js';
import { modifiedAt, put } from '../../etcd/txn.js';
import { EtcronError } from '../../errors.js';
import { diffJobs, serializeDefinition, type JobChange, type JobsFile } from '../../jobs/index.js';

const PAGE_SIZE = 500;
/** Well within what one transaction may hold, in operations and in bytes. */
const JOBS_PER_TXN = 50;

/**
 * Returns what was done, unchanged jobs included. Rejects with ETCRON_CONFLICT when somebody else wrote one of the same
 * jobs at the same time; those of earlier transactions are in etcd then, and applying again is safe.
 */
export async function applyJobs(store: Store, keys: Keys, files: JobsFile): Promise<JobChange[]> {
  const { kvs } = await listRange(store, prefixRange(keys.jobs), { pageSize: PAGE_SIZE });
  const current = new Map([...kvs].map(([key, kv]) => [key.slice(keys.jobs.length), { text: kv.value }]));
  const desired = new Map([...files.jobs].map(([name, { definition }]) => [name, definition]));
  const changes = diffJobs(desired, current);
  const toWrite = changes.flatMap(({ kind, name, after }) => {
    if (after === null || kind === 'unchanged') return [];
    const key = keys.job(name);
    return { key, text: serializeDefinition(after), seen: kvs.get(key)?.modRevision ?? 0 };
  });
  for (let from = 0; from < toWrite.length; from += JOBS_PER_TXN) {
    const batch = toWrite.slice(from, from + JOBS_PER_TXN);
    const result = await store.txn({
      compare: batch.map(({ key, seen }) => modifiedAt(key, seen)),
      success: batch.map(({ key, text }) => put(key, text)),
    });
    if (!result.succeeded) {
      throw new EtcronError('ETCRON_CONFLICT', 'somebody else changed the same jobs at the same time', {
        hint: 'Start again.',
      });
    }
  }
  return changes;
}
