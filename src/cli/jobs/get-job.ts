import { stringify } from 'yaml';
import { formatRunId } from '../../etcd/keys.js';
import { listRange } from '../../etcd/listing.js';
import { prefixRange, singleKey, type KeyValue } from '../../etcd/store.js';
import { listRuns, type RunEntry } from '../../history/history.js';
import {
  formatProblem,
  isPausedForGood,
  parseJobValue,
  printable,
  scheduleOf,
  scheduleOptionsOf,
  serializeDefinition,
  type Job,
  type JobDefinition,
} from '../../jobs/index.js';
import { describeBounds, describeSchedule, preview, type PreviewEntry } from '../../schedule/index.js';
import type { FiringEntry } from '../../view/cluster-view.js';
import { whyNobody } from '../../view/eligibility.js';
import type { JobEntry } from '../../view/job-entry.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';
import { describeFiring, firingState, type FiringState } from '../../operations/firing-state.js';
import { runRows, RUN_HEAD, runToJson } from '../runs/run-rows.js';
import { firingEntry, reasonToWait, takeSnapshot, workerEntries } from '../../operations/snapshot.js';
import { renderFields, renderTable } from '../table.js';
import { isoOrNull, relativeText, timeText } from '../../time-text.js';
import { findJob } from '../../operations/find-job.js';
import { decodeMark, ownerOf } from '../../apply/job-sets.js';
import { jobState, pauseToJson, stateText } from '../../operations/job-state.js';
import { statePaint } from './state-paint.js';

const NEXT_COUNT = 5;
const RUN_COUNT = 10;

interface JobDetails {
  readonly entry: JobEntry;
  /** The set of files that manages the job, if one does. */
  readonly set: string | null;
  readonly definition: JobDefinition | null;
  /** Why no worker can run it; null when one can, or when that is not the question. */
  readonly unplaceable: string | null;
  readonly next: readonly PreviewEntry[];
  readonly firings: readonly (FiringEntry & { readonly state: FiringState })[];
  /** What keeps those that are due from their turn, by run id. */
  readonly whyWaiting: ReadonlyMap<string, string>;
  readonly runs: readonly RunEntry[];
  readonly nowMs: number;
}

/** One job: its definition or what is wrong with it, and what is next, under way and past. */
export async function getJob(context: CliContext, name: string): Promise<void> {
  await context.withStore(async (cluster) => {
    const details = await readDetails(context, cluster, name);
    if (context.json) context.out.json(toJson(details));
    else print(context, cluster, details);
  });
}

async function readDetails(context: CliContext, cluster: Cluster, name: string): Promise<JobDetails> {
  const { store, keys } = cluster;
  const entry = await findJob(cluster, name);
  const [firings, workerKeys, runs, marks] = await Promise.all([
    listRange(store, keys.firingsOf(name), { pageSize: 1_000 }),
    listRange(store, prefixRange(keys.workers), { pageSize: 1_000 }),
    listRuns(store, keys, { job: name, limit: RUN_COUNT }),
    store.range(singleKey(keys.setOf(name))),
  ]);
  const workers = workerEntries(keys, [...workerKeys.kvs.values()]);
  const live = new Set(workers.map(({ nodeId }) => nodeId));
  const nowMs = context.clock.now();
  const parsed = parseJobValue(name, entry.kv.value);
  const { job } = entry;
  const underWay = [...firings.kvs.values()].flatMap((kv: KeyValue) => {
    const firing = firingEntry(keys, kv);
    return firing ? [{ ...firing, state: firingState(firing, live, nowMs) }] : [];
  });
  return {
    entry,
    set: ownerOf(entry.kv, marks.kvs[0] && decodeMark(marks.kvs[0])),
    definition: parsed.ok ? parsed.definition : null,
    unplaceable:
      job !== null && jobState(entry, nowMs) === 'ok'
        ? whyNobody(
            job,
            null,
            workers.map(({ value }) => value),
          )
        : null,
    next:
      job === null || entry.isDone || isPausedForGood(job) ? [] : preview(scheduleOf(job), nowMs, NEXT_COUNT),
    firings: underWay,
    whyWaiting: await whyTheyWait(cluster, underWay),
    runs: runs.entries,
    nowMs,
  };
}

async function whyTheyWait(
  cluster: Cluster,
  firings: JobDetails['firings'],
): Promise<ReadonlyMap<string, string>> {
  const late = firings.filter(({ state }) => state === 'queued' || state === 'late');
  if (late.length === 0) return new Map();
  const snapshot = await takeSnapshot(cluster);
  return new Map(
    late.flatMap((firing) => {
      const why = reasonToWait(snapshot, firing);
      return why === null ? [] : [[firing.runId, why]];
    }),
  );
}

function print(context: CliContext, { keys }: Cluster, details: JobDetails): void {
  const { out, colors } = context;
  const { entry, definition, next, firings, runs, nowMs } = details;
  const fields: Parameters<typeof renderFields>[1][number][] = [
    ['job', { text: entry.name, paint: colors.bold }],
    ['state', { text: stateText(entry, nowMs), paint: statePaint(jobState(entry, nowMs), colors) }],
  ];
  if (entry.job) fields.push(['when', whenText(entry.job)]);
  const maxRuns = entry.job?.maxRuns ?? null;
  if (maxRuns !== null) fields.push(['runs', `${entry.runs} of ${maxRuns}`]);
  fields.push(['key', `${keys.job(entry.name)} (revision ${entry.modRevision})`]);
  if (details.set !== null) fields.push(['set', details.set]);
  if (details.unplaceable !== null)
    fields.push(['cannot run', { text: details.unplaceable, paint: colors.red }]);
  out.line(renderFields(context, fields));
  const section = (title: string, text: string): void => out.line(`\n${colors.bold(title)}\n${text}`);
  if (definition) section('Definition', safeLines(stringify(JSON.parse(serializeDefinition(definition)))));
  else {
    section(
      'Problems',
      entry.problems.map((problem) => colors.red(formatProblem(problem, entry.name))).join('\n'),
    );
    section('Value', safeLines(entry.kv.value.toString('utf8')));
  }
  if (next.length > 0) {
    const isSeveral = Array.isArray(entry.job?.schedule) && entry.job.schedule.length > 1;
    const rows = next.map(({ dueMs, localText, note = '', expressions }) => [
      localText,
      timeText(dueMs),
      relativeText(dueMs, nowMs),
      ...(isSeveral ? [expressions.join('; ')] : []),
      note,
    ]);
    const head = ['LOCAL', 'UTC', '', ...(isSeveral ? ['SCHEDULE'] : []), ''];
    section('Next', renderTable(context, head, rows));
  }
  const { whyWaiting } = details;
  const underWay = firings.filter((firing) => firing.state !== 'planned');
  if (underWay.length > 0) {
    const rows = underWay.map((firing) => [
      firing.runId,
      describeFiring(firing, firing.state, nowMs, whyWaiting.get(firing.runId)),
    ]);
    section('Under way', renderTable(context, ['RUN', ''], rows));
  }
  if (runs.length > 0) section('Last runs', renderTable(context, RUN_HEAD, runRows(context, runs)));
}

/** What each expression means, one per line. */
function whenText(job: Job): string {
  const { name, schedule, timezone } = job;
  const expressions = typeof schedule === 'string' ? [schedule] : schedule;
  const lines = expressions.map(
    (expression) => `${describeSchedule(expression, { job: name })} (${timezone})`,
  );
  const bounds = describeBounds(scheduleOptionsOf(job));
  return [...lines, ...(bounds === '' ? [] : [bounds])].join('\n');
}

/** Text from etcd, line by line, without what a terminal would obey. */
function safeLines(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `  ${printable(line)}`)
    .join('\n');
}

function toJson({ entry, set, definition, unplaceable, next, firings, runs, nowMs }: JobDetails): unknown {
  return {
    name: entry.name,
    state: jobState(entry, nowMs),
    pause: pauseToJson(entry, nowMs),
    runsCounted: (entry.job?.maxRuns ?? null) === null ? null : entry.runs,
    revision: entry.modRevision,
    set,
    definition,
    problems: entry.problems,
    cannotRun: unplaceable,
    ...(definition === null ? { value: entry.kv.value.toString('utf8') } : {}),
    next: next.map(({ dueMs, localText, note }) => ({
      due: isoOrNull(dueMs),
      local: localText,
      note: note ?? null,
    })),
    firings: firings.map(({ id, state, value }) => ({
      run: formatRunId(id),
      state,
      attempt: value.attempt,
      node: value.node,
      notBefore: isoOrNull(value.notBefore),
    })),
    runs: runs.map(runToJson),
  };
}
