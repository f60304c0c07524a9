import { formatRunId } from '../../etcd/keys.js';
import { runIdOf } from '../../operations/find-run.js';
import { followRun } from '../../operations/follow-run.js';
import { requestKill } from '../../operations/kill-run.js';
import type { CliContext } from '../context.js';
import { printRun } from './get-run.js';
import { reportProgress } from './report-progress.js';

export interface KillRunOptions {
  readonly reason: string;
  /** False: do not wait. */
  readonly wait: boolean;
  /** ms. */
  readonly timeout?: number;
}

/**
 * Asks for the end of a run, waits until its process tree is gone and its record is written, and shows that. What was asked
 * for stands, whoever stops waiting.
 */
export async function killRun(context: CliContext, text: string, options: KillRunOptions): Promise<void> {
  const id = runIdOf(text);
  await context.withOperations(async (cluster) => {
    await requestKill(cluster, id, options.reason);
    if (!options.wait) {
      if (context.json) context.out.json({ run: formatRunId(id), requested: true });
      else context.out.line(`asked for the end of ${formatRunId(id)}`);
      return;
    }
    const { dim } = context.colors;
    context.out.note(dim(`asked for the end of ${formatRunId(id)}; waiting until its processes are gone`));
    const run = await followRun(cluster, id, {
      clock: context.clock,
      timeoutMs: options.timeout ?? null,
      onProgress: reportProgress(context),
    });
    printRun(context, run);
  });
}
