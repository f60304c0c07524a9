import { deleteJob } from '../../operations/delete-job.js';
import { findJob } from '../../operations/find-job.js';
import type { CliContext } from '../context.js';

/** Deletes jobs by name, broken ones too. Where one of the names is unknown nothing is deleted. */
export async function deleteJobs(context: CliContext, names: readonly string[]): Promise<void> {
  await context.withOperations(async (cluster) => {
    for (const name of names) await findJob(cluster, name);
    for (const name of new Set(names)) {
      await deleteJob(cluster, name);
      if (!context.json) context.out.line(`deleted ${name}`);
    }
    if (context.json) context.out.json({ deleted: [...new Set(names)] });
  });
}
