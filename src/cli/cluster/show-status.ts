import { sizeText } from '../../etcd/database-size.js';
import type { EndpointStatus } from '../../etcd/store.js';
import { listRuns, type RunEntry } from '../../history/history.js';
import type { CliContext } from '../context.js';
import { outcomeReason, styledOutcome, FAILURES } from '../outcome-text.js';
import { takeSnapshot } from '../../operations/snapshot.js';
import { renderFields, renderTable } from '../table.js';
import { isoOrNull, relativeText, timeText } from '../../time-text.js';
import { summarize, type Summary } from './summary.js';

const FAILURE_COUNT = 5;
const PAUSED_COUNT = 10;
const UNPLACEABLE_COUNT = 10;
/** Enough for the recent past, and bounded for a cluster in which nothing fails. */
const MAX_EXAMINED = 500;

/** Shows the cluster on one page. The exit code is 0 when it can work: somebody leads, and a worker is active. */
export async function showStatus(context: CliContext): Promise<void> {
  await context.withStore(async (cluster) => {
    const { store, keys } = cluster;
    const [snapshot, endpoints, failures] = await Promise.all([
      takeSnapshot(cluster),
      store.status(),
      listRuns(store, keys, { outcomes: FAILURES, limit: FAILURE_COUNT, maxExamined: MAX_EXAMINED }),
    ]);
    const summary = summarize(snapshot, context.clock.now(), endpoints);
    if (!summary.healthy) context.exitCode = 1;
    if (context.json) context.out.json(toJson(summary, endpoints, failures.entries));
    else print(context, summary, endpoints, failures.entries);
  });
}

type Field = Parameters<typeof renderFields>[1][number];

function print(
  context: CliContext,
  summary: Summary,
  endpoints: readonly EndpointStatus[],
  failures: readonly RunEntry[],
): void {
  const { out, colors } = context;
  const { leader, workers, drained, jobs, paused, firings, plannedThroughMs, problems } = summary;
  const nowMs = context.clock.now();
  const fields: Field[] = [
    [
      'leader',
      leader
        ? `${leader.nodeId} since ${timeText(leader.since)} (${relativeText(leader.since, nowMs)})`
        : 'none',
    ],
    [
      'workers',
      `${counts({ active: workers.active, draining: workers.draining, ...(workers.skewed ? { 'clock off': workers.skewed } : {}) })}, load ${workers.load}/${workers.capacity}`,
    ],
    ['jobs', counts(jobs.done > 0 ? jobs : { ok: jobs.ok, paused: jobs.paused, broken: jobs.broken })],
    [
      'firings',
      counts({
        planned: firings.planned,
        'in flight': firings.inFlight,
        late: firings.late,
        'waiting for a retry': firings.waiting,
        ...(firings.queued === 0 ? {} : { 'waiting for their turn': firings.queued }),
      }),
    ],
  ];
  if (plannedThroughMs !== null) {
    fields.push([
      'planned',
      `through ${timeText(plannedThroughMs)} (${relativeText(plannedThroughMs, nowMs)})`,
    ]);
  }
  for (const status of endpoints) {
    const { endpoint, version, isLeader } = status;
    fields.push(['etcd', `${endpoint}  ${version}  ${sizeText(status)}${isLeader ? '  leader' : ''}`]);
  }
  out.line(renderFields(context, fields));
  if (drained.length > 0) {
    const rows = drained.map(({ name, text }) => [name, text]);
    out.line(`\n${colors.bold('Drained workers')}\n${renderTable(context, ['WORKER', ''], rows)}`);
  }
  if (paused.length > 0) {
    const rows = paused.slice(0, PAUSED_COUNT).map(({ name, state }) => [name, state]);
    const rest = paused.length - rows.length;
    if (rest > 0) rows.push([`and ${rest} more`, '']);
    out.line(`\n${colors.bold('Paused jobs')}\n${renderTable(context, ['JOB', ''], rows)}`);
  }
  if (summary.unplaceable.length > 0) {
    const rows = summary.unplaceable.slice(0, UNPLACEABLE_COUNT).map(({ name, reason }) => [name, reason]);
    const rest = summary.unplaceable.length - rows.length;
    if (rest > 0) rows.push([`and ${rest} more`, '']);
    out.line(`\n${colors.bold('No worker can run')}\n${renderTable(context, ['JOB', 'WHY'], rows)}`);
  }
  if (summary.queued.length > 0) {
    const rows = summary.queued.map(({ run, reason }) => [run, reason]);
    const rest = firings.queued - rows.length;
    if (rest > 0) rows.push([`and ${rest} more`, '']);
    out.line(`\n${colors.bold('Waiting for their turn')}\n${renderTable(context, ['RUN', ''], rows)}`);
  }
  if (failures.length > 0) {
    const rows = failures.map(({ runId, id, record }) => [
      runId,
      styledOutcome(record!.outcome, colors),
      relativeText(id.dueMs, nowMs),
      outcomeReason(record!),
    ]);
    out.line(
      `\n${colors.bold('Recent failures')}\n${renderTable(context, ['RUN', 'OUTCOME', '', 'WHY'], rows)}`,
    );
  }
  out.line();
  for (const problem of problems) out.line(colors.red(`✗ ${problem}`));
  if (problems.length === 0) out.line(colors.green('✓ healthy'));
}

function counts(parts: Readonly<Record<string, number>>): string {
  return Object.entries(parts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');
}

function toJson(
  summary: Summary,
  endpoints: readonly EndpointStatus[],
  failures: readonly RunEntry[],
): unknown {
  const { leader, plannedThroughMs, ...rest } = summary;
  return {
    ...rest,
    leader: leader && { ...leader, since: isoOrNull(leader.since) },
    plannedThrough: isoOrNull(plannedThroughMs),
    failures: failures.map(({ runId, record }) => ({
      run: runId,
      outcome: record?.outcome ?? null,
      reason: record === null ? null : outcomeReason(record),
    })),
    etcd: endpoints,
  };
}
