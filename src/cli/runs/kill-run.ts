import { EtcronError } from '../../errors.js';
import { formatRunId, type FiringId } from '../../etcd/keys.js';
import { encodeRecord } from '../../etcd/record.js';
import { exists, put } from '../../etcd/txn.js';
import { getRun } from '../../history/history.js';
import { killRecordSchema } from '../../view/kill-record.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';
import { requester } from '../requester.js';
import { followRun } from './follow-run.js';
import { printRun, runNotFound } from './get-run.js';
import { runIdOf } from './list-runs.js';
import { reportProgress } from './report-progress.js';

export interface KillRunOptions {
  readonly reason: string;
  readonly wait?: boolean;
  /** ms. */
  readonly timeout?: number;
}

/**
 * Asks for the end of a run: whoever runs it ends its processes and records it as `killed`; one that nobody runs yet
 * ends when it is claimed. With `wait` it shows the record.
 */
export async function killRun(context: CliContext, text: string, options: KillRunOptions): Promise<void> {
  const id = runIdOf(text);
  await context.withStore(async (cluster) => {
    await requestKill(context, cluster, id, options.reason);
    if (options.wait) {
      const run = await followRun(cluster, id, {
        clock: context.clock,
        timeoutMs: options.timeout ?? null,
        onProgress: reportProgress(context),
      });
      return printRun(context, run);
    }
    if (context.json) context.out.json({ run: formatRunId(id), requested: true });
    else context.out.line(`asked for the end of ${formatRunId(id)}`);
  });
}

async function requestKill(
  { clock }: CliContext,
  cluster: Cluster,
  id: FiringId,
  reason: string,
): Promise<void> {
  const { store, keys } = cluster;
  const request = encodeRecord(killRecordSchema, { by: requester(), reason, at: clock.now() });
  const result = await store.txn({
    compare: [exists(keys.firing(id))],
    success: [put(keys.kill(id), request)],
  });
  if (result.succeeded) return;
  const run = await getRun(store, keys, id);
  if (!run) throw runNotFound(id);
  throw new EtcronError(
    'ETCRON_CONFLICT',
    `${run.runId} is over: ${run.record?.outcome ?? 'damaged record'}`,
    {
      hint: 'There is nothing left to end.',
      details: { run: run.runId, outcome: run.record?.outcome ?? null },
    },
  );
}
