import { EtcronError } from '../errors.js';
import type { FiringId } from '../etcd/keys.js';
import { encodeRecord } from '../etcd/record.js';
import { exists, put } from '../etcd/txn.js';
import { getRun } from '../history/history.js';
import { killRecordSchema } from '../view/kill-record.js';
import type { OperationContext } from './context.js';
import { runNotFound } from './find-run.js';

/**
 * Asks for the end of a run. The request is durable: whoever has the run, or takes it over, ends its whole process tree and
 * then writes its record, as `killed`; one that nobody has started ends as it is. `followRun` waits for that record. Rejects with
 * ETCRON_RUN_NOT_FOUND, and with ETCRON_CONFLICT when the run is over.
 */
export async function requestKill(
  { store, keys, clock, actor }: OperationContext,
  id: FiringId,
  reason: string,
): Promise<void> {
  const request = encodeRecord(killRecordSchema, { by: actor.name, reason, at: clock.now() });
  const result = await store.txn({
    compare: [exists(keys.firing(id))],
    success: [put(keys.kill(id), request)],
  });
  if (result.succeeded) return;
  const run = await getRun(store, keys, id);
  if (!run) throw runNotFound(id);
  const outcome = run.record?.outcome ?? null;
  throw new EtcronError('ETCRON_CONFLICT', `${run.runId} is over: ${outcome ?? 'damaged record'}`, {
    hint: 'There is nothing left to end.',
    details: { run: run.runId, outcome },
  });
}
