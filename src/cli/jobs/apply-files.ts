import { EtcronError } from '../../errors.js';
import { listRange } from '../../etcd/listing.js';
import { prefixRange, type KeyValue } from '../../etcd/store.js';
import { diffJobs, printable, quote, renderDiff, type JobChange, type JobsFile } from '../../jobs/index.js';
import type { CliContext } from '../context.js';
import { confirm } from '../confirm.js';
import type { Cluster } from '../environment.js';
import { plural } from '../plural.js';
import { DEFAULT_SET, ownerOf, readMarks, type Mark } from './job-sets.js';
import { warnOfNeverAgain } from './never-again.js';
import { filesError, loadFiles } from './read-files.js';
import { writeChanges, type PlannedWrite } from './write-changes.js';

export interface ApplyOptions {
  readonly file: readonly string[];
  readonly set?: string;
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly takeOver?: boolean;
  readonly yes?: boolean;
}

/** A change, and the set that manages the job so far. */
type OwnedChange = JobChange & { readonly owner: string | null };

interface Plan {
  readonly set: string;
  readonly changes: readonly OwnedChange[];
  readonly writes: readonly PlannedWrite[];
}

/**
 * Makes the jobs in etcd what the files say, and the set their manager. Nothing is read or written when a file has a
 * problem, and nothing is written when another set manages one of the jobs (ETCRON_SET_CONFLICT). What is written is
 * exactly the difference that was shown: a job that somebody else changes in between is ETCRON_CONFLICT.
 */
export async function applyFiles(context: CliContext, options: ApplyOptions): Promise<void> {
  const files = await loadFiles(context, options.file);
  if (files.problems.length > 0) throw filesError(files.problems);
  warnOfNeverAgain(
    context,
    [...files.jobs.values()].map(({ job }) => job),
  );
  await context.withStore(async (cluster) => {
    await carryOut(context, cluster, await makePlan(cluster, files, options), options);
  });
}

async function makePlan(cluster: Cluster, files: JobsFile, options: ApplyOptions): Promise<Plan> {
  const { store, keys } = cluster;
  const set = options.set ?? DEFAULT_SET;
  const { kvs } = await listRange(store, prefixRange(keys.jobs), { pageSize: 1_000 });
  const marks = await readMarks(cluster);
  const current = new Map([...kvs].map(([key, kv]) => [key.slice(keys.jobs.length), { kv, text: kv.value }]));
  const ownerOfJob = (name: string): string | null => {
    const kv = current.get(name)?.kv;
    return kv ? ownerOf(kv, marks.get(name)) : null;
  };
  const desired = new Map([...files.jobs].map(([name, { definition }]) => [name, definition]));
  const prune = { prune: (name: string): boolean => ownerOfJob(name) === set };
  const changes = diffJobs(desired, current, options.prune === true ? prune : {}).map((change) => ({
    ...change,
    owner: ownerOfJob(change.name),
  }));
  const writes = changes
    .filter(({ kind, owner }) => kind !== 'unchanged' || owner !== set)
    .map((change) => plannedWrite(change, set, current.get(change.name)?.kv, marks.get(change.name)));
  return { set, changes, writes };
}

function plannedWrite(
  change: OwnedChange,
  set: string,
  kv: KeyValue | undefined,
  mark: Mark | undefined,
): PlannedWrite {
  const becomes = change.kind === 'delete' ? null : change.owner === set ? undefined : set;
  return {
    change,
    seenRevision: kv?.modRevision ?? 0,
    mark: { seenRevision: mark?.modRevision ?? 0, becomes },
  };
}

async function carryOut(
  context: CliContext,
  cluster: Cluster,
  plan: Plan,
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
  const foreign = changes.filter(({ owner }) => owner !== null && owner !== set);
  if (foreign.length > 0 && options.takeOver !== true) throw setConflict(foreign, set);
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
function ownerLines({ changes, set }: Plan): string[] {
  const found = changes.filter(({ kind, owner }) => kind !== 'create' && owner !== set);
  if (found.length === 0) return [];
  const names = found.map(({ name, owner }) =>
    owner === null ? name : `${name} (from the set ${quote(owner)})`,
  );
  return [printable(`comes to be managed by the set ${quote(set)}: ${names.join(', ')}`)];
}

function setConflict(foreign: readonly OwnedChange[], set: string): EtcronError {
  const shown = foreign
    .slice(0, 5)
    .map(({ name, owner }) => `${quote(name)} by ${quote(owner ?? '')}`)
    .join(', ');
  const rest = foreign.length > 5 ? ` and ${foreign.length - 5} more` : '';
  return new EtcronError(
    'ETCRON_SET_CONFLICT',
    `other sets than ${quote(set)} manage jobs of these files: ${shown}${rest}; nothing was changed`,
    {
      hint: 'Take the jobs out of the files, name the right set with --set, or pass --take-over to manage them from now on.',
      details: { set, jobs: foreign.map(({ name, owner }) => ({ name, set: owner })) },
    },
  );
}

function toJson(
  { kind, name, fields, staysPaused, currentProblems, owner }: OwnedChange,
  set: string,
): unknown {
  const after = kind === 'delete' ? null : set;
  return { kind, name, fields, staysPaused, currentProblems, set: { before: owner, after } };
}
