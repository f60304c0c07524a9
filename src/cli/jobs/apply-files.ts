import { DEFAULT_SET } from '../../apply/job-sets.js';
import {
  foreignChanges,
  planChanges,
  setConflict,
  type ChangePlan,
  type OwnedChange,
} from '../../apply/plan-changes.js';
import { writeChanges } from '../../apply/write-changes.js';
import { printable, quote, renderDiff } from '../../jobs/index.js';
import type { CliContext } from '../context.js';
import { confirm } from '../confirm.js';
import type { Cluster } from '../environment.js';
import { plural } from '../../plural.js';
import { filesError, loadFiles } from './read-files.js';
import { clusterWarnings, jobWarnings } from '../../operations/job-warnings.js';
import { reportWarnings } from './report-warnings.js';

export interface ApplyOptions {
  readonly file: readonly string[];
  readonly set?: string;
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly takeOver?: boolean;
  readonly yes?: boolean;
  readonly strict?: boolean;
}

const CONFLICT = {
  where: 'these files',
  hint: 'Take the jobs out of the files, name the right set with --set, or pass --take-over to manage them from now on.',
};

/**
 * Makes the jobs in etcd what the files say, and the set their manager. Nothing is read or written when a file has a
 * problem, and nothing is written when another set manages one of the jobs (ETCRON_SET_CONFLICT). What is written is
 * exactly the difference that was shown: a job that somebody else changes in between is ETCRON_CONFLICT.
 */
export async function applyFiles(context: CliContext, options: ApplyOptions): Promise<void> {
  const files = await loadFiles(context, options.file);
  if (files.problems.length > 0) throw filesError(files.problems);
  const jobs = [...files.jobs.values()].map(({ job }) => job);
  await context.withStore(async (cluster) => {
    const warnings = [...jobWarnings(jobs, context.clock.now()), ...(await clusterWarnings(cluster, jobs))];
    reportWarnings(context, warnings, options.strict === true);
    const desired = new Map([...files.jobs].map(([name, { definition }]) => [name, definition]));
    const plan = await planChanges(cluster, desired, {
      set: options.set ?? DEFAULT_SET,
      prune: options.prune === true,
    });
    await carryOut(context, cluster, plan, options);
  });
}

async function carryOut(
  context: CliContext,
  cluster: Cluster,
  plan: ChangePlan,
  options: ApplyOptions,
): Promise<void> {
  const { out, colors, json } = context;
  const { set, changes, writes } = plan;
  const report = (applied: number): void => {
    if (!json) return;
    const described = changes.map((change) => toJson(change, set));
    out.json({ dryRun: options.dryRun === true, set, applied, changes: described });
  };
  if (!json) {
    out.line(renderDiff(changes, { color: colors.isColorSupported }));
    for (const line of ownerLines(plan)) out.line(line);
  }
  const foreign = foreignChanges(plan);
  if (foreign.length > 0 && options.takeOver !== true) throw setConflict(foreign, set, CONFLICT);
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
  const applied = changes.filter(({ kind }) => kind !== 'unchanged').length;
  if (!json && applied > 0) out.line(`${colors.green('✓')} applied ${plural(applied, 'change')}`);
  report(applied);
}

/** Which jobs that were there already the set comes to manage. */
function ownerLines({ changes, set }: ChangePlan): string[] {
  const found = changes.filter(({ kind, owner }) => kind !== 'create' && owner !== set);
  if (found.length === 0) return [];
  const names = found.map(({ name, owner }) =>
    owner === null ? name : `${name} (from the set ${quote(owner)})`,
  );
  return [printable(`comes to be managed by the set ${quote(set)}: ${names.join(', ')}`)];
}

function toJson(
  { kind, name, fields, staysPaused, currentProblems, owner }: OwnedChange,
  set: string,
): unknown {
  const after = kind === 'delete' ? null : set;
  return { kind, name, fields, staysPaused, currentProblems, set: { before: owner, after } };
}
