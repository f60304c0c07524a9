/** What it takes to make jobs in etcd what a set of definitions says: the difference, and which set manages what. */
import { EtcronError } from '../errors.js';
import type { Cluster } from '../etcd/cluster.js';
import { listRange } from '../etcd/listing.js';
import { prefixRange, type KeyValue } from '../etcd/store.js';
import { diffJobs, quote, type JobChange, type JobDefinition } from '../jobs/index.js';
import { ownerOf, readMarks, type Mark } from './job-sets.js';
import type { PlannedWrite } from './write-changes.js';

/** A change, and the set that manages the job so far. */
export type OwnedChange = JobChange & { readonly owner: string | null };

export interface ChangePlan {
  readonly set: string;
  readonly changes: readonly OwnedChange[];
  readonly writes: readonly PlannedWrite[];
}

/** With `prune`, jobs of the same set that are not desired are deleted. Reads, and writes nothing. */
export async function planChanges(
  cluster: Cluster,
  desired: ReadonlyMap<string, JobDefinition>,
  { set, prune }: { readonly set: string; readonly prune: boolean },
): Promise<ChangePlan> {
  const { store, keys } = cluster;
  const { kvs } = await listRange(store, prefixRange(keys.jobs), { pageSize: 1_000 });
  const marks = await readMarks(cluster);
  const current = new Map([...kvs].map(([key, kv]) => [key.slice(keys.jobs.length), { kv, text: kv.value }]));
  const ownerOfJob = (name: string): string | null => {
    const kv = current.get(name)?.kv;
    return kv ? ownerOf(kv, marks.get(name)) : null;
  };
  const ownedBySet = (name: string): boolean => ownerOfJob(name) === set;
  const changes = diffJobs(desired, current, prune ? { prune: ownedBySet } : {}).map((change) => ({
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

/** Jobs that another set manages. */
export function foreignChanges({ set, changes }: ChangePlan): OwnedChange[] {
  return changes.filter(({ owner }) => owner !== null && owner !== set);
}

/** `where` says what the definitions stand in, such as `these files`. */
export function setConflict(
  foreign: readonly OwnedChange[],
  set: string,
  { where, hint }: { readonly where: string; readonly hint: string },
): EtcronError {
  const shown = foreign
    .slice(0, 5)
    .map(({ name, owner }) => `${quote(name)} by ${quote(owner ?? '')}`)
    .join(', ');
  const rest = foreign.length > 5 ? ` and ${foreign.length - 5} more` : '';
  return new EtcronError(
    'ETCRON_SET_CONFLICT',
    `other sets than ${quote(set)} manage jobs of ${where}: ${shown}${rest}; nothing was changed`,
    { hint, details: { set, jobs: foreign.map(({ name, owner }) => ({ name, set: owner })) } },
  );
}
