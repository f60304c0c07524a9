import { EtcronError } from '../errors.js';
import { get, modifiedAt, put, del } from '../etcd/txn.js';
import { JOB_NAME_PATTERN } from '../jobs/job-name.js';
import { quote } from '../jobs/index.js';
import { nearest } from '../schedule/nearest.js';
import { decodeLimit, encodeLimit } from '../view/limit-record.js';
import type { OperationContext } from './context.js';
import { limitUsage } from './limit-usage.js';
import { takeSnapshot } from './snapshot.js';

/**
 * Gives a limit its size; resolves with the one before. What runs beyond a smaller one goes on; no more begins until fewer
 * run. Rejects with ETCRON_USAGE for a name that no job could give it.
 */
export async function setLimit(
  { store, keys }: OperationContext,
  name: string,
  size: number,
): Promise<number | null> {
  if (!JOB_NAME_PATTERN.test(name)) {
    throw new EtcronError('ETCRON_USAGE', `${quote(name)} cannot be the name of a limit`, {
      hint: 'Use letters, digits, ".", "_" and "-", and begin with a letter or a digit.',
    });
  }
  const key = keys.limit(name);
  // The answer of the get is from before the put.
  const { results } = await store.txn({ compare: [], success: [get(key), put(key, encodeLimit({ size }))] });
  const kv = results[0]?.type === 'get' ? results[0].kvs[0] : undefined;
  return kv ? decodeLimit(kv).size : null;
}

/**
 * Takes a limit away. Without `force` only when no job names it (ETCRON_CONFLICT otherwise): nothing of such a job would run any
 * more. Rejects with ETCRON_LIMIT_NOT_FOUND.
 */
export async function deleteLimit(
  context: OperationContext,
  name: string,
  { force = false }: { readonly force?: boolean } = {},
): Promise<void> {
  const { store, keys, clock } = context;
  const snapshot = await takeSnapshot(context);
  const limit = snapshot.limits.get(name);
  if (limit === undefined) throw noSuchLimit(name, [...snapshot.limits.keys()]);
  const jobs = limitUsage(snapshot, clock.now()).find((one) => one.name === name)?.jobs ?? [];
  if (jobs.length > 0 && !force) {
    throw new EtcronError('ETCRON_CONFLICT', `the limit ${quote(name)} is named by ${jobs.join(', ')}`, {
      hint: 'Nothing of a job under a limit without a size runs. Take it out of these jobs first, or pass --force.',
      details: { name, jobs },
    });
  }
  const key = keys.limit(name);
  const { succeeded } = await store.txn({
    compare: [modifiedAt(key, limit.modRevision)],
    success: [del(key)],
  });
  if (succeeded) return;
  throw new EtcronError('ETCRON_CONFLICT', `the limit ${quote(name)} was changed meanwhile`, {
    hint: 'Look at it with "etcron limits list", and try again.',
  });
}

function noSuchLimit(name: string, names: readonly string[]): EtcronError {
  const near = nearest(name, names, 3);
  const hint =
    near.length > 0
      ? `Did you mean ${near.map((candidate) => quote(candidate)).join(' or ')}?`
      : 'See "etcron limits list".';
  return new EtcronError('ETCRON_LIMIT_NOT_FOUND', `there is no limit ${quote(name)}`, {
    hint,
    details: { name, near },
  });
}
