import type { FiringId } from '../etcd/keys.js';
import type { JobEntry } from '../view/job-entry.js';
import { requestRun } from '../view/request-run.js';
import type { OperationContext } from './context.js';
import { brokenJob, findJob } from './find-job.js';

/**
 * Asks for a run of the job, due now, whatever its schedule says; a paused job can be run as well. Rejects with
 * ETCRON_JOB_NOT_FOUND, and with ETCRON_JOB_INVALID for a broken one.
 */
export function runJobNow(context: OperationContext, name: string): Promise<FiringId> {
  const { clock, actor } = context;
  return requestRun(context, name, () => findRunnable(context, name), {
    by: actor.name,
    now: () => clock.now(),
  });
}

/** The job, where its definition is sound. */
export async function findRunnable(context: OperationContext, name: string): Promise<JobEntry> {
  const entry = await findJob(context, name);
  if (entry.job === null) throw brokenJob(entry, context.keys.job(name), 'run');
  return entry;
}
