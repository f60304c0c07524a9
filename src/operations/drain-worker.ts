import { EtcronError } from '../errors.js';
import { encodeRecord } from '../etcd/record.js';
import { absent, del, exists, put } from '../etcd/txn.js';
import { quote } from '../jobs/index.js';
import { drainRecordSchema } from '../view/drain-record.js';
import { isActive } from '../view/eligibility.js';
import type { OperationContext } from './context.js';
import { listWorkers, workerNotFound } from './workers.js';

export interface DrainResult {
  /** False: it was asked for already. */
  readonly changed: boolean;
  /** Workers that go on taking runs, by name. */
  readonly others: readonly string[];
}

/**
 * Asks that a worker takes nothing more: what it runs goes on to its end, what it has not started is given back, and it leads no
 * more while another worker can. The request stands until `resumeWorker`, also when the worker is started anew.
 * `waitForDrain` waits until it runs nothing. Rejects with ETCRON_WORKER_NOT_FOUND.
 */
export async function drainWorker(
  context: OperationContext,
  name: string,
  { reason }: { readonly reason?: string } = {},
): Promise<DrainResult> {
  const { store, keys, clock, actor } = context;
  const workers = await listWorkers(context);
  if (!workers.some(({ value }) => value.name === name)) throw workerNotFound(name, workers);
  const key = keys.drain(name);
  const text = encodeRecord(drainRecordSchema, { by: actor.name, reason: reason ?? null, at: clock.now() });
  const { succeeded } = await store.txn({ compare: [absent(key)], success: [put(key, text)] });
  // A reason that somebody gave before is kept unless there is a new one.
  if (!succeeded && reason !== undefined)
    await store.txn({ compare: [exists(key)], success: [put(key, text)] });
  const others = workers.filter(({ value }) => value.name !== name && isActive(value));
  return { changed: succeeded, others: [...new Set(others.map(({ value }) => value.name))].sort() };
}

/** Lets a worker take runs again. Whether there was a request; rejects with ETCRON_WORKER_NOT_FOUND where there is neither it nor a worker. */
export async function resumeWorker(context: OperationContext, name: string): Promise<{ changed: boolean }> {
  const { store, keys } = context;
  const key = keys.drain(name);
  const { succeeded } = await store.txn({ compare: [exists(key)], success: [del(key)] });
  if (succeeded) return { changed: true };
  const workers = await listWorkers(context);
  if (!workers.some(({ value }) => value.name === name)) throw workerNotFound(name, workers);
  return { changed: false };
}

export function resumedMeanwhile(name: string): EtcronError {
  return new EtcronError('ETCRON_CONFLICT', `somebody let ${quote(name)} take runs again meanwhile`, {
    hint: `Drain it again if that was not meant: etcron workers drain ${name}`,
    details: { name },
  });
}
