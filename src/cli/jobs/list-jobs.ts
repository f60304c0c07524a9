import type { RunEntry } from '../../history/history.js';
import { listRuns } from '../../history/history.js';
import { formatProblem, scheduleText } from '../../jobs/index.js';
import type { JobEntry } from '../../view/job-entry.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';
import { styledOutcome } from '../outcome-text.js';
import { jobState, pauseToJson, stateText } from '../../operations/job-state.js';
import { statePaint } from './state-paint.js';
import { plural } from '../../plural.js';
import { takeSnapshot } from '../../operations/snapshot.js';
import { renderTable, type Styled } from '../table.js';
import { isoOrNull, relativeText } from '../../time-text.js';

export interface ListJobsOptions {
  /** Read the last run of each job: one small read per job. */
  readonly last: boolean;
}

interface Row {
  readonly entry: JobEntry;
  readonly nextMs: number | null;
  readonly last: RunEntry | null;
}

const READS_AT_ONCE = 16;

/** All jobs, broken ones with what is wrong with them. */
export async function listJobs(context: CliContext, options: ListJobsOptions): Promise<void> {
  await context.withStore(async (cluster) => {
    const { jobs } = await takeSnapshot(cluster);
    const lasts = options.last ? await lastRuns(cluster, [...jobs.keys()]) : new Map<string, RunEntry>();
    const nowMs = context.clock.now();
    const rows = [...jobs.values()].map((entry) => ({
      entry,
      nextMs: entry.schedule?.next(nowMs) ?? null,
      last: lasts.get(entry.name) ?? null,
    }));
    if (context.json) context.out.json({ jobs: rows.map((row) => toJson(row, nowMs)) });
    else if (rows.length === 0) context.out.line('No jobs. Put some there with "etcron apply -f FILE".');
    else print(context, rows, nowMs);
  });
}

async function lastRuns({ store, keys }: Cluster, names: readonly string[]): Promise<Map<string, RunEntry>> {
  const found = new Map<string, RunEntry>();
  const remaining = names.values();
  const worker = async (): Promise<void> => {
    for (const job of remaining) {
      const [run] = (await listRuns(store, keys, { job, limit: 1 })).entries;
      if (run) found.set(job, run);
    }
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, worker));
  return found;
}

function print(context: CliContext, rows: readonly Row[], nowMs: number): void {
  const { out, colors } = context;
  const cells = rows.map(({ entry, nextMs, last }) => [
    entry.name,
    entry.job ? scheduleText(entry.job.schedule) : '',
    entry.job?.timezone ?? '',
    nextMs === null ? '' : relativeText(nextMs, nowMs),
    last?.record ? lastText(last, context, nowMs) : '',
    stateCell(entry, context, nowMs),
  ]);
  out.line(renderTable(context, ['NAME', 'SCHEDULE', 'ZONE', 'NEXT', 'LAST', 'STATE'], cells));
  for (const { entry } of rows) {
    for (const problem of entry.problems) out.line(colors.red(`  ${formatProblem(problem, entry.name)}`));
  }
  const count = (state: string): number =>
    rows.filter(({ entry }) => jobState(entry, nowMs) === state).length;
  const parts = [plural(rows.length, 'job')];
  if (count('paused') > 0) parts.push(`${count('paused')} paused`);
  if (count('done') > 0) parts.push(`${count('done')} done`);
  if (count('broken') > 0) parts.push(`${count('broken')} broken`);
  out.note(colors.dim(parts.join(', ')));
}

function lastText({ record, id }: RunEntry, { colors }: CliContext, nowMs: number): Styled {
  const { text, paint } = styledOutcome(record!.outcome, colors);
  return { text: `${text} ${relativeText(id.dueMs, nowMs)}`, paint };
}

function stateCell(entry: JobEntry, { colors }: CliContext, nowMs: number): Styled {
  return { text: stateText(entry, nowMs), paint: statePaint(jobState(entry, nowMs), colors) };
}

function toJson({ entry, nextMs, last }: Row, nowMs: number): unknown {
  const { job, problems } = entry;
  return {
    name: entry.name,
    state: jobState(entry, nowMs),
    pause: pauseToJson(entry, nowMs),
    schedule: job?.schedule ?? null,
    timezone: job?.timezone ?? null,
    description: job?.description ?? null,
    labels: job?.labels ?? null,
    next: isoOrNull(nextMs),
    last: last && { run: last.runId, due: isoOrNull(last.id.dueMs), outcome: last.record?.outcome ?? null },
    problems,
  };
}
