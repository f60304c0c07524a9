import { EtcronError } from '../../errors.js';
import { listRange } from '../../etcd/listing.js';
import { prefixRange, singleKey } from '../../etcd/store.js';
import { quote } from '../../jobs/index.js';
import { nearest } from '../../schedule/nearest.js';
import { JobEntry } from '../../view/job-entry.js';
import type { Cluster } from '../environment.js';

/** Rejects with ETCRON_JOB_NOT_FOUND, and with the name that was meant where one is near. */
export async function findJob({ store, keys }: Cluster, name: string): Promise<JobEntry> {
  const { kvs } = await store.range(singleKey(keys.job(name)));
  if (kvs[0]) return new JobEntry(name, kvs[0]);
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
