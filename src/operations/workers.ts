/** Finding workers by the name that their operators gave them. */
import { EtcronError } from '../errors.js';
import type { Cluster } from '../etcd/cluster.js';
import { listRange } from '../etcd/listing.js';
import { quote } from '../jobs/index.js';
import { nearest } from '../schedule/nearest.js';
import type { WorkerEntry } from '../view/cluster-view.js';
import { workerEntries } from './snapshot.js';

/** Those that live. */
export async function listWorkers({ store, keys }: Cluster): Promise<WorkerEntry[]> {
  const { kvs } = await listRange(store, keys.mirroredWorkers, { pageSize: 1_000 });
  return workerEntries(keys, [...kvs.values()]);
}

export function workerNotFound(name: string, workers: readonly WorkerEntry[]): EtcronError {
  const near = nearest(name, [...new Set(workers.map(({ value }) => value.name))], 3);
  const hint =
    near.length > 0
      ? `Did you mean ${near.map((candidate) => quote(candidate)).join(' or ')}?`
      : 'See "etcron workers" for those that live; a worker is named by the column NAME.';
  return new EtcronError('ETCRON_WORKER_NOT_FOUND', `there is no worker ${quote(name)}`, {
    hint,
    details: { name, near },
  });
}
