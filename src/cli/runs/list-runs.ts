import { formatRunId } from '../../etcd/keys.js';
import { listRuns } from '../../history/history.js';
import type { Outcome } from '../../history/run-record.js';
import { runIdOf } from '../../operations/find-run.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';
import { RUN_HEAD, runRows, runToJson } from './run-rows.js';

export interface ListRunsOptions {
  readonly job?: string;
  readonly outcome?: readonly Outcome[];
  readonly limit: number;
  /** A run id: go on after it. */
  readonly after?: string;
}

/** The newest runs, by due time. */
export async function showRuns(context: CliContext, options: ListRunsOptions): Promise<void> {
  const { job, outcome, limit, after } = options;
  const afterId = after === undefined ? null : runIdOf(after);
  await context.withStore(async ({ store, keys }) => {
    const { entries, next } = await listRuns(store, keys, {
      limit,
      ...(job === undefined ? {} : { job }),
      ...(outcome === undefined ? {} : { outcomes: outcome }),
      ...(afterId === null ? {} : { after: afterId }),
    });
    const nextId = next === null ? null : formatRunId(next);
    if (context.json) return context.out.json({ runs: entries.map(runToJson), next: nextId });
    if (entries.length === 0) context.out.line('No runs.');
    else context.out.line(renderTable(context, RUN_HEAD, runRows(context, entries)));
    if (nextId !== null) context.out.note(context.colors.dim(`There are older ones: --after '${nextId}'`));
  });
}
