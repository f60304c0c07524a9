import { EtcronError } from '../errors.js';
import { listRange } from '../etcd/listing.js';
import { prefixRange } from '../etcd/store.js';
import { get } from '../etcd/txn.js';
import { quote } from '../jobs/index.js';
import { nearest } from '../schedule/nearest.js';
import { JobEntry } from '../view/job-entry.js';
import { decodeRunCount } from '../view/run-count.js';
import type { Cluster } from '../etcd/cluster.js';

/** Rejects with ETCRON_JOB_NOT_FOUND, and with the name that was meant where one is near. */
export async function findJob({ store, keys }: Cluster, name: string): Promise<JobEntry> {
  const { results } = await store.txn({ compare: [], success: [get(keys.job(name)), get(keys.count(name))] });
  const [job, count] = results.map((result) => (result.type === 'get' ? result.kvs[0] : undefined));
  if (job) return new JobEntry(name, job, count && decodeRunCount(count));
  throw await jobNotFound({ store, keys }, name);
}

export async function jobNotFound({ store, keys }: Cluster, name: string): Promise<EtcronError> {
  const { kvs } = await listRange(store, prefixRange(keys.jobs), { pageSize: 5_000, keysOnly: true });
  const names = [...kvs.keys()].map((key) => key.slice(keys.jobs.length));
  const near = nearest(name, names, 3);
  const hint =
    near.length > 0
      ? `Did you mean ${near.map((candidate) => quote(candidate)).join(' or ')}?`
      : names.length === 0
        ? `There are no jobs under ${keys.jobs}; put some there with "etcron apply -f FILE".`
        : 'See "etcron jobs list".';
  return new EtcronError('ETCRON_JOB_NOT_FOUND', `there is no job ${quote(name)}`, {
    hint,
    details: { name, near },
  });
}

/** The error for a job whose definition is broken, with its problems. */
export function brokenJob(entry: JobEntry, key: string, purpose: string): EtcronError {
  return new EtcronError('ETCRON_JOB_INVALID', `${quote(entry.name)} is broken and cannot be ${purpose}`, {
    hint: 'Mend its definition and apply it again.',
    details: { name: entry.name, problems: entry.problems.map((problem) => ({ ...problem, source: key })) },
  });
}
