import { randomBytes } from 'node:crypto';
import { EtcronError } from '../errors.js';
import { duePart, formatRunId, onlyWorkerOf, type FiringId } from '../etcd/keys.js';
import { readPage } from '../etcd/listing.js';
import { prefixRange } from '../etcd/store.js';
import { get } from '../etcd/txn.js';
import { rerunSuffix } from '../history/made-later.js';
import { quote } from '../jobs/index.js';
import { manualFiring, type FiringRecord } from '../view/firing-record.js';
import { requestFiring } from '../view/request-run.js';
import type { OperationContext } from './context.js';
import { runNotFound } from './find-run.js';
import { findRunnable } from './run-job.js';

/** As many workers as anybody has. */
const MAX_WORKERS = 10_000;

/**
 * Asks for another run of what a run was for: the same job as it is defined now, the same due time (so that templates and
 * `ETCRON_DUE` say the same), beside its record, which stays. Its own id is the old one's with a `rerun-…` suffix, and both
 * the firing and the record name the run that it repeats. It waits for its turn and is not skipped. A paused job can be rerun
 * as well. Rejects with ETCRON_RUN_NOT_FOUND, with ETCRON_CONFLICT while the run is not over, with ETCRON_JOB_NOT_FOUND and
 * ETCRON_JOB_INVALID.
 */
export async function rerunRun(context: OperationContext, id: FiringId): Promise<FiringId> {
  const { store, keys, clock, actor } = context;
  await assertOver(context, id);
  const only = await onlyWorker(context, id);
  const suffix = rerunSuffix(clock.now(), randomBytes(2).toString('hex'));
  return requestFiring(
    { store, keys },
    id.job,
    () => findRunnable(context, id.job),
    () => ({
      id: { ...id, suffix: only === null ? suffix : `${suffix}.on-${only.worker}` },
      firing: {
        ...manualFiring(actor.name),
        // Late on purpose: it waits for a slot instead of being skipped.
        misfire: true,
        notBefore: clock.now(),
        rerunOf: formatRunId(id),
        only,
      },
    }),
  );
}

async function assertOver({ store, keys }: OperationContext, id: FiringId): Promise<void> {
  const { results } = await store.txn({ compare: [], success: [get(keys.firing(id)), get(keys.run(id))] });
  const [firing, run] = results.map((result) => (result.type === 'get' ? result.kvs[0] : undefined));
  if (firing) {
    throw new EtcronError('ETCRON_CONFLICT', `${formatRunId(id)} is not over`, {
      hint: 'Wait for its end, or end it with "etcron runs kill".',
      details: { run: formatRunId(id) },
    });
  }
  if (!run) throw runNotFound(id);
}

/** For the run of one worker: the same worker, with the place that it had among all. */
async function onlyWorker({ store, keys }: OperationContext, id: FiringId): Promise<FiringRecord['only']> {
  const worker = onlyWorkerOf(id);
  if (worker === null) return null;
  const beside = { ...id, suffix: id.suffix!.slice(0, -worker.length) };
  const prefix = `${id.job}/${duePart(beside)}`;
  const names = new Set<string>();
  for (const under of [keys.runs, keys.firings]) {
    const page = await readPage(store, prefixRange(under + prefix), { limit: MAX_WORKERS, keysOnly: true });
    for (const { key } of page.kvs) names.add(key.slice(under.length + prefix.length));
  }
  const index = [...names].sort().indexOf(worker);
  if (index >= 0) return { worker, index, count: names.size };
  throw new EtcronError('ETCRON_RUN_NOT_FOUND', `the runs beside ${quote(formatRunId(id))} are gone`, {
    hint: `Run the job on all workers instead: etcron run ${id.job}`,
  });
}
