import { del, modifiedAt } from '../etcd/txn.js';
import { MAX_TRIES, type OperationContext } from './context.js';
import { findJob } from './find-job.js';
import { changedMeanwhile, keepsChanging } from './put-job.js';

/**
 * Deletes a job, be it broken; what runs goes on to its end. With `revision` only while its definition is the one of that
 * revision (ETCRON_CONFLICT otherwise). Rejects with ETCRON_JOB_NOT_FOUND.
 */
export async function deleteJob(
  context: OperationContext,
  name: string,
  { revision }: { readonly revision?: number } = {},
): Promise<void> {
  const { store, keys } = context;
  const key = keys.job(name);
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const { modRevision } = await findJob(context, name);
    if (revision !== undefined && revision !== modRevision)
      throw changedMeanwhile(name, revision, modRevision);
    const result = await store.txn({
      compare: [modifiedAt(key, modRevision)],
      success: [del(key), del(keys.setOf(name))],
    });
    if (result.succeeded) return;
  }
  throw keepsChanging(name);
}
