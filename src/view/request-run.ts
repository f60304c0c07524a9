/** Asking for a run outside of the schedule. */
import { randomBytes } from 'node:crypto';
import { EtcronError } from '../errors.js';
import type { Cluster } from '../etcd/cluster.js';
import type { FiringId } from '../etcd/keys.js';
import { absent, modifiedAt, put } from '../etcd/txn.js';
import { encodeFiring, manualFiring, type FiringRecord } from './firing-record.js';
import type { JobEntry } from './job-entry.js';

/** The job can be edited between the read and the write; more often than this it is not. */
const MAX_TRIES = 5;

/**
 * Puts a firing that is due now, whatever the schedule says. `find` reads the job, and rejects where there is none that
 * can be run; it is called again when the job changes meanwhile. Rejects with ETCRON_CONFLICT when it keeps changing.
 */
export async function requestRun(
  cluster: Cluster,
  name: string,
  find: () => Promise<JobEntry>,
  { by, now }: { readonly by: string; readonly now: () => number },
): Promise<FiringId> {
  const suffix = `manual-${randomBytes(4).toString('hex')}`;
  return requestFiring(cluster, name, find, () => ({
    id: { job: name, dueMs: now(), suffix },
    firing: manualFiring(by),
  }));
}

/** Puts what `make` makes, under the same rules. */
export async function requestFiring(
  { store, keys }: Cluster,
  name: string,
  find: () => Promise<JobEntry>,
  make: () => { readonly id: FiringId; readonly firing: FiringRecord },
): Promise<FiringId> {
  for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
    const entry = await find();
    const { id, firing } = make();
    const key = keys.firing(id);
    const result = await store.txn({
      compare: [modifiedAt(keys.job(name), entry.modRevision), absent(key)],
      success: [put(key, encodeFiring(firing))],
    });
    if (result.succeeded) return id;
  }
  throw new EtcronError('ETCRON_CONFLICT', `others keep changing the job ${name}; it was not run`, {
    hint: 'Try again.',
  });
}
