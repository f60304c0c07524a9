import { del, exists } from '../../etcd/txn.js';
import type { CliContext } from '../context.js';
import { findJob, jobNotFound } from './find-job.js';

/** Deletes jobs by name, broken ones too. Where one of the names is unknown nothing is deleted. */
export async function deleteJobs(context: CliContext, names: readonly string[]): Promise<void> {
  await context.withStore(async (cluster) => {
    const { store, keys } = cluster;
    for (const name of names) await findJob(cluster, name);
    for (const name of new Set(names)) {
      const key = keys.job(name);
      const result = await store.txn({ compare: [exists(key)], success: [del(key), del(keys.setOf(name))] });
      if (!result.succeeded) throw await jobNotFound(cluster, name);
      if (!context.json) context.out.line(`deleted ${name}`);
    }
    if (context.json) context.out.json({ deleted: [...new Set(names)] });
  });
}
