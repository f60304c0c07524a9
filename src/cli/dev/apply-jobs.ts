import { listRange } from '../../etcd/listing.js';
import { prefixRange } from '../../etcd/store.js';
import { diffJobs, type JobChange, type JobsFile } from '../../jobs/index.js';
import type { Cluster } from '../environment.js';
import { writeChanges } from '../../apply/write-changes.js';

const PAGE_SIZE = 1_000;

/**
 * Puts the jobs of files into etcd: creates and updates, never deletes. Returns what was done, unchanged jobs included;
 * rejects like `writeChanges`.
 */
export async function applyJobs(cluster: Cluster, files: JobsFile): Promise<JobChange[]> {
  const { store, keys } = cluster;
  const { kvs } = await listRange(store, prefixRange(keys.jobs), { pageSize: PAGE_SIZE });
  const current = new Map([...kvs].map(([key, kv]) => [key.slice(keys.jobs.length), { text: kv.value }]));
  const desired = new Map([...files.jobs].map(([name, { definition }]) => [name, definition]));
  const changes = diffJobs(desired, current);
  const writes = changes
    .filter(({ kind }) => kind !== 'unchanged')
    .map((change) => ({ change, seenRevision: kvs.get(keys.job(change.name))?.modRevision ?? 0 }));
  await writeChanges(cluster, writes);
  return changes;
}
