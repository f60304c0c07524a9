import { listRange } from '../../etcd/listing.js';
import { prefixRange } from '../../etcd/store.js';
import { diffJobs, renderDiff, type JobChange } from '../../jobs/index.js';
import type { CliContext } from '../context.js';
import { confirm } from '../confirm.js';
import type { Cluster } from '../environment.js';
import { plural } from '../plural.js';
import { filesError, loadFiles } from './read-files.js';
import { writeChanges, type PlannedWrite } from './write-changes.js';

export interface ApplyOptions {
  readonly file: readonly string[];
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly yes?: boolean;
}

/**
 * Makes the jobs in etcd what the files say. Nothing is read or written when a file has a problem. What is written is
 * exactly the difference that was shown: a job that somebody else changes in between is ETCRON_CONFLICT.
 */
export async function applyFiles(context: CliContext, options: ApplyOptions): Promise<void> {
  const { jobs, problems } = await loadFiles(context, options.file);
  if (problems.length > 0) throw filesError(problems);
  await context.withStore(async (cluster) => {
    const { kvs } = await listRange(cluster.store, prefixRange(cluster.keys.jobs), { pageSize: 1_000 });
    const current = new Map(
      [...kvs].map(([key, kv]) => [key.slice(cluster.keys.jobs.length), { kv, text: kv.value }]),
    );
    const desired = new Map([...jobs].map(([name, { definition }]) => [name, definition]));
    const changes = diffJobs(desired, current, { prune: options.prune === true });
    const writes = changes
      .filter(({ kind }) => kind !== 'unchanged')
      .map((change) => ({ change, seenRevision: current.get(change.name)?.kv.modRevision ?? 0 }));
    await carryOut(context, cluster, { changes, writes, options });
  });
}

interface Plan {
  readonly changes: readonly JobChange[];
  readonly writes: readonly PlannedWrite[];
  readonly options: ApplyOptions;
}

async function carryOut(
  context: CliContext,
  cluster: Cluster,
  { changes, writes, options }: Plan,
): Promise<void> {
  const { out, colors, json } = context;
  const report = (applied: number): void => {
    if (json) out.json({ dryRun: options.dryRun === true, applied, changes: changes.map(toJson) });
  };
  if (!json) out.line(renderDiff(changes, { color: colors.isColorSupported }));
  if (options.dryRun) {
    out.note('Dry run: nothing was changed.');
    return report(0);
  }
  const deletes = changes.filter(({ kind }) => kind === 'delete').length;
  if (
    deletes > 0 &&
    !options.yes &&
    !(await confirm(context, `Delete ${plural(deletes, 'job')}?`, '--yes'))
  ) {
    out.note('Nothing was changed.');
    context.exitCode = 1;
    return report(0);
  }
  await writeChanges(cluster, writes);
  if (!json && writes.length > 0) out.line(`${colors.green('✓')} applied ${plural(writes.length, 'change')}`);
  report(writes.length);
}

function toJson({ kind, name, fields, staysPaused, currentProblems }: JobChange): unknown {
  return { kind, name, fields, staysPaused, currentProblems };
}
