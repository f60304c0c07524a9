import { EtcronError } from '../../errors.js';
import { formatRunId, type FiringId } from '../../etcd/keys.js';
import { prefixRange } from '../../etcd/store.js';
import type { RunEntry } from '../../history/history.js';
import { followRun } from '../../operations/follow-run.js';
import { rerunRun } from '../../operations/rerun-run.js';
import { runIdOf } from '../../operations/find-run.js';
import { runJobNow } from '../../operations/run-job.js';
import type { OperationContext } from '../../operations/context.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';
import { outcomeReason } from '../outcome-text.js';
import { printRun } from './get-run.js';
import { reportProgress } from './report-progress.js';

export interface RunJobOptions {
  readonly wait?: boolean;
  /** ms. */
  readonly timeout?: number;
}

/**
 * Asks for a run of the job, due now, whatever its schedule says; a paused job can be run by hand, too. With `wait` it
 * rejects with ETCRON_RUN_FAILED unless the run succeeds.
 */
export async function runJob(context: CliContext, name: string, options: RunJobOptions): Promise<void> {
  await context.withOperations(async (cluster) => {
    await report(context, cluster, await runJobNow(cluster, name), options);
  });
}

/** The same for what another run was for. */
export async function rerun(context: CliContext, text: string, options: RunJobOptions): Promise<void> {
  const id = runIdOf(text);
  await context.withOperations(async (cluster) => {
    await report(context, cluster, await rerunRun(cluster, id), options);
  });
}

async function report(
  context: CliContext,
  cluster: OperationContext,
  id: FiringId,
  options: RunJobOptions,
): Promise<void> {
  await warnWithoutWorkers(context, cluster);
  if (!options.wait) {
    if (context.json) context.out.json({ run: formatRunId(id) });
    else context.out.line(formatRunId(id));
    return;
  }
  context.out.note(formatRunId(id));
  const run = await followRun(cluster, id, {
    clock: context.clock,
    timeoutMs: options.timeout ?? null,
    onProgress: reportProgress(context),
  });
  printRun(context, run);
  assertSucceeded(run);
}

/** Says that nobody is there to run what is asked for. */
export async function warnWithoutWorkers({ out }: CliContext, { store, keys }: Cluster): Promise<void> {
  const { count } = await store.range(prefixRange(keys.workers), { countOnly: true });
  if (count === 0)
    out.warn('there is no worker now; the run starts as soon as there is one ("etcron worker")');
}

function assertSucceeded({ runId, record, problem }: RunEntry): void {
  if (record?.outcome === 'succeeded') return;
  const reason = record ? outcomeReason(record) : problem;
  const ended = record ? `ended ${record.outcome}` : 'left a damaged record';
  throw new EtcronError('ETCRON_RUN_FAILED', `${runId} ${ended}${reason ? `: ${reason}` : ''}`, {
    details: { run: runId, outcome: record?.outcome ?? null },
  });
}
