/** The list of runs, by pages: ended ones from the feed (or, beyond what that holds, from etcd), the others from the view. */
import type { z } from 'zod';
import type { FiringId } from '../../etcd/keys.js';
import { listRuns } from '../../history/history.js';
import { firingState } from '../../operations/firing-state.js';
import type { FiringEntry } from '../../view/cluster-view.js';
import type { ApiContext } from '../context.js';
import { badCursor, decodeCursor, encodeCursor } from '../lists.js';
import type { ClusterReader } from '../reader/cluster-reader.js';
import type { LiveView } from '../reader/live-view.js';
import type { RunFeed } from '../reader/run-feed.js';
import { itemOf, newestFirst, type Position, type RunItem } from '../reader/run-item.js';
import type { listRunsQuery, runList, RunView } from '../schemas/runs.js';
import { firingToRun, recordToRun } from './run-view.js';

type Query = z.output<typeof listRunsQuery>;
type RunList = z.output<typeof runList>;

/** As far from 1970 as a time can lie. */
const MAX_TIME_MS = 8.64e15;
/** So much is read of etcd for one page: records at once, those that an outcome is looked for in, and how often. */
const READ_AT_ONCE = 500;
const MAX_EXAMINED = 5_000;
const MAX_READINGS = 10;

export async function listRunsPage(
  context: ApiContext,
  reader: ClusterReader,
  query: Query,
): Promise<RunList> {
  const after = query.cursor === undefined ? null : positionOf(query.cursor);
  const { state } = query;
  if (state !== 'ended' && state !== 'any')
    return listFirings(await reader.live.use(), query, after, context.clock.now());
  const feed = await reader.feed.use();
  if (state === 'any') return listAll(await reader.live.use(), feed, query, after, context.clock.now());
  const page = listEnded(feed, query, after);
  if (page.next !== null || page.complete || query.job === undefined) return page;
  return listFromEtcd(context, query, after);
}

function listEnded(feed: RunFeed, query: Query, after: Position | null): RunList {
  const matches = filterOf(query);
  const found: RunItem[] = [];
  for (const item of candidates(feed, query, after)) {
    if (query.from !== undefined && item.id.dueMs < query.from) break;
    if (!matches(item)) continue;
    found.push(item);
    if (found.length > query.limit) break;
  }
  const page = found.slice(0, query.limit);
  const complete = found.length > query.limit || feed.knowsSince(query.from ?? -Infinity);
  const next = found.length > query.limit ? cursorAfter(page.at(-1)!.id) : null;
  return { runs: page.map(recordToRun), next, complete };
}

/** In order, from `after` on. */
function candidates({ shelf }: RunFeed, { job, to }: Query, after: Position | null): Iterable<RunItem> {
  const range = { ...(after === null ? {} : { after }), ...(to === undefined ? {} : { beforeMs: to }) };
  if (job === undefined) return shelf.newest(range);
  return [...shelf.ofJob(job)]
    .filter(({ id }) => (to === undefined || id.dueMs < to) && (after === null || newestFirst(id, after) > 0))
    .sort((a, b) => newestFirst(a.id, b.id));
}

function filterOf({ job, q, outcome, worker }: Query): (item: RunItem) => boolean {
  const text = q?.toLowerCase() ?? '';
  return (item) =>
    (job === undefined || item.id.job === job) &&
    (text === '' || item.id.job.toLowerCase().includes(text)) &&
    (outcome === undefined || (item.outcome !== null && outcome.includes(item.outcome))) &&
    (worker === undefined || item.worker === worker || item.node === worker);
}

/** All records of one job, also those that are older than what is held. Of what is rare a page may hold less, and there is a next one. */
async function listFromEtcd(
  { store, keys }: ApiContext,
  query: Query,
  after: Position | null,
): Promise<RunList> {
  const { job, limit, outcome, worker, from, to } = query;
  const runs: RunView[] = [];
  let position = after ?? (to === undefined ? null : { job: job!, dueMs: to, suffix: null });
  // Whose worker fits is known only of what was read: not one after the other.
  const readAtOnce = worker === undefined ? limit : Math.max(limit, READ_AT_ONCE);
  for (let readings = 1; ; readings += 1) {
    const page = await listRuns(store, keys, {
      job: job!,
      limit: readAtOnce,
      maxExamined: MAX_EXAMINED,
      ...(outcome === undefined ? {} : { outcomes: outcome }),
      ...(position === null ? {} : { after: position }),
    });
    for (const entry of page.entries) {
      const item = itemOf(entry);
      if (from !== undefined && item.id.dueMs < from) return { runs, next: null, complete: true };
      if (to !== undefined && item.id.dueMs >= to) continue;
      if (worker !== undefined && item.worker !== worker && item.node !== worker) continue;
      runs.push(recordToRun(item));
      if (runs.length === limit) return { runs, next: cursorAfter(item.id), complete: true };
    }
    if (page.next === null) return { runs, next: null, complete: true };
    position = page.next;
    if (readings === MAX_READINGS) return { runs, next: cursorAfter(position), complete: true };
  }
}

/** Running and late ones the oldest first, planned ones the soonest first: both are by due time. */
function listFirings(live: LiveView, query: Query, after: Position | null, nowMs: number): RunList {
  const { view } = live;
  const wanted: readonly RunView['state'][] = WANTED[query.state as keyof typeof WANTED];
  const found = matchingFirings(live, query)
    .filter((firing) => wanted.includes(firingState(firing, view.workers, nowMs)))
    .sort((a, b) => -newestFirst(a.id, b.id))
    .filter(({ id }) => after === null || newestFirst(id, after) < 0);
  const page = found.slice(0, query.limit);
  const next = found.length > query.limit ? cursorAfter(page.at(-1)!.id) : null;
  return { runs: page.map((firing) => firingToRun(view, firing, nowMs)), next, complete: true };
}

const WANTED = {
  running: ['running', 'claimed'],
  planned: ['planned', 'waiting', 'claimed'],
  late: ['late', 'queued', 'orphaned'],
} as const;

function matchingFirings({ view }: LiveView, { job, q, worker, from, to }: Query): FiringEntry[] {
  const text = q?.toLowerCase() ?? '';
  const all = job === undefined ? view.firings.values() : (view.firingsByJob.get(job)?.values() ?? []);
  return [...all].filter(
    ({ id, value: { node } }) =>
      (text === '' || id.job.toLowerCase().includes(text)) &&
      (from === undefined || id.dueMs >= from) &&
      (to === undefined || id.dueMs < to) &&
      (worker === undefined ||
        node === worker ||
        (node !== null && view.workers.get(node)?.value.name === worker)),
  );
}

/** Firings and records in one list, newest first. */
function listAll(
  live: LiveView,
  feed: RunFeed,
  query: Query,
  after: Position | null,
  nowMs: number,
): RunList {
  const firings = query.outcome === undefined ? matchingFirings(live, query) : [];
  const under = firings
    .filter(({ id }) => after === null || newestFirst(id, after) > 0)
    .map((firing) => ({ id: firing.id, show: () => firingToRun(live.view, firing, nowMs) }));
  const matches = filterOf(query);
  const ended: { id: FiringId; show: () => RunView }[] = [];
  for (const item of candidates(feed, query, after)) {
    if (query.from !== undefined && item.id.dueMs < query.from) break;
    if (matches(item)) ended.push({ id: item.id, show: () => recordToRun(item) });
    if (ended.length > query.limit) break;
  }
  const all = [...under, ...ended].sort((a, b) => newestFirst(a.id, b.id));
  const page = all.slice(0, query.limit);
  const next = all.length > query.limit ? cursorAfter(page.at(-1)!.id) : null;
  return {
    runs: page.map(({ show }) => show()),
    next,
    complete: next !== null || feed.knowsSince(query.from ?? -Infinity),
  };
}

function cursorAfter({ dueMs, job, suffix }: FiringId): string {
  return encodeCursor([dueMs, job, suffix]);
}

function positionOf(cursor: string): FiringId {
  const [dueMs, job, suffix = null] = decodeCursor(cursor, 3);
  const isTime = typeof dueMs === 'number' && Math.abs(dueMs) <= MAX_TIME_MS;
  if (!isTime || typeof job !== 'string' || typeof suffix === 'number') throw badCursor();
  return { dueMs, job, suffix };
}
