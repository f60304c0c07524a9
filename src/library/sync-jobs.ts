/** Makes jobs in etcd what the code says, as `etcron apply` does for files. */
import { foreignChanges, planChanges, setConflict } from '../apply/plan-changes.js';
import { writeChanges } from '../apply/write-changes.js';
import { EtcronError } from '../errors.js';
import type { Cluster } from '../etcd/cluster.js';
import type { Logger } from '../telemetry/logger.js';
import type { DefinedJob } from './define-job.js';
import type { ResolvedOptions } from './options.js';

/** Nodes of one program start together, and write the same jobs: all but the first find them written. */
const MAX_TRIES = 10;

const CONFLICT = {
  where: 'this program',
  hint: 'Take the jobs out of the program or out of the other set, or set sync: { takeOver: true } to manage them from now on.',
};

/** Rejects with ETCRON_SET_CONFLICT when another set manages one of the jobs; nothing is written then. */
export async function syncJobs(
  cluster: Cluster,
  jobs: readonly DefinedJob[],
  { mark, prune, takeOver }: NonNullable<ResolvedOptions['sync']>,
  log: Logger,
): Promise<void> {
  const desired = new Map(jobs.map(({ name, definition }) => [name, definition]));
  for (let tries = 1; ; tries += 1) {
    const plan = await planChanges(cluster, desired, { set: mark, prune });
    const foreign = foreignChanges(plan);
    if (foreign.length > 0 && !takeOver) throw setConflict(foreign, mark, CONFLICT);
    try {
      await writeChanges(cluster, plan.writes);
    } catch (error) {
      const isConflict = error instanceof EtcronError && error.code === 'ETCRON_CONFLICT';
      if (!isConflict || tries === MAX_TRIES) throw error;
      continue;
    }
    for (const { kind, name } of plan.changes)
      if (kind !== 'unchanged')
        log.info({ job: name, change: kind, set: mark }, 'a job of the code was synced');
    return;
  }
}
