/**
 * The station board: what came in, what is under way, and what comes next. What is planned stands in etcd; what lies beyond that
 * is asked of the schedules, soonest first, through a heap, up to a bound.
 */
import type { z } from 'zod';
import { Heap } from '../../heap.js';
import { formatRunId } from '../../etcd/keys.js';
import { workerNameOf } from '../../election/worker-record.js';
import { firingState } from '../../operations/firing-state.js';
import type { Schedule } from '../../schedule/index.js';
import { startTime } from '../../view/firing-record.js';
import type { JobDigest } from '../reader/job-book.js';
import type { LiveView } from '../reader/live-view.js';
import type { RunFeed } from '../reader/run-feed.js';
import type { RunItem } from '../reader/run-item.js';
import type { ComingRun, timeline as timelineSchema } from '../schemas/cluster.js';
import { firingToRun, recordToRun } from './run-view.js';
import { Tally } from './stats.js';
import { isoText, pauseToJson } from './text.js';
import { oldestFirst } from './worker-view.js';

type Timeline = z.output<typeof timelineSchema>;

export interface TimelineRange {
  readonly fromMs: number;
  readonly toMs: number;
  readonly buckets: number;
  readonly limit: number;
  readonly nowMs: number;
}

/** So many due times are asked of the schedules; more than fit a chart do not show anyway. */
const MAX_COMING = 20_000;

export function timelineOf(live: LiveView, feed: RunFeed, range: TimelineRange): Timeline {
  const { fromMs, toMs, buckets, limit, nowMs } = range;
  const { view } = live;
  const bucketMs = Math.max(1, Math.ceil((toMs - fromMs) / buckets));
  const counted = Array.from({ length: Math.ceil((toMs - fromMs) / bucketMs) }, () => ({
    tally: new Tally(),
    running: 0,
    coming: 0,
  }));
  const bucketAt = (ms: number) => counted[Math.floor((ms - fromMs) / bucketMs)];

  const past: RunItem[] = [];
  for (const item of feed.shelf.newest({ beforeMs: toMs })) {
    if (item.id.dueMs < fromMs) break;
    bucketAt(item.id.dueMs)?.tally.add(item.outcome, null);
    if (past.length < limit) past.push(item);
  }
  const running = [...view.firings.values()].filter(
    (firing) => firingState(firing, view.workers, nowMs) === 'running',
  );
  for (const { id } of running) {
    const bucket = bucketAt(id.dueMs);
    if (bucket) bucket.running += 1;
  }
  const { coming, all } = comingRuns(live, range);
  for (const due of all.due) {
    const bucket = bucketAt(due);
    if (bucket) bucket.coming += 1;
  }
  return {
    from: isoText(fromMs),
    to: isoText(toMs),
    now: isoText(nowMs),
    bucketMs,
    buckets: counted.map((bucket, index) => ({
      from: isoText(fromMs + index * bucketMs),
      outcomes: bucket.tally.outcomes,
      running: bucket.running,
      coming: bucket.coming,
    })),
    past: past.map(recordToRun),
    running: running
      .sort(oldestFirst)
      .slice(0, limit)
      .map((firing) => firingToRun(view, firing, nowMs)),
    coming,
    complete: feed.knowsSince(fromMs) && all.complete,
  };
}

interface Upcoming {
  readonly digest: JobDigest;
  readonly schedule: Schedule;
  readonly isPaused: boolean;
  dueMs: number;
}

function comingRuns(
  { view, jobs }: LiveView,
  { toMs, limit, nowMs }: TimelineRange,
): { coming: ComingRun[]; all: { due: number[]; complete: boolean } } {
  const coming: ComingRun[] = [];
  const due: number[] = [];
  const add = (dueMs: number, run: () => ComingRun): void => {
    due.push(dueMs);
    if (coming.length < limit) coming.push(run());
  };
  // What is planned or asked for already, and has not begun: by its own time, among those of the schedules.
  const planned = [...view.firings.values()].filter((firing) => {
    const state = firingState(firing, view.workers, nowMs);
    return state !== 'running' && state !== 'expanded' && startTime(firing) >= nowMs;
  });
  const known = new Set(planned.map(({ runId }) => runId));
  planned.sort(oldestFirst);
  let nextPlanned = 0;
  const addPlannedBefore = (dueMs: number): void => {
    for (; nextPlanned < planned.length && planned[nextPlanned]!.id.dueMs < dueMs; nextPlanned += 1) {
      const { id, runId, value } = planned[nextPlanned]!;
      if (id.dueMs >= toMs) return;
      const digest = jobs.get(id.job);
      add(id.dueMs, () => ({
        job: id.job,
        due: isoText(id.dueMs),
        run: runId,
        worker: value.node === null ? null : workerNameOf(value.node),
        pause: null,
        cannotRun: digest ? jobs.cannotRun(digest) : null,
      }));
    }
  };
  const heap = new Heap<Upcoming>((a, b) => a.dueMs < b.dueMs);
  for (const name of jobs.names) {
    const digest = jobs.get(name);
    const schedule = digest?.due ?? digest?.dueUnlessPaused ?? null;
    if (!digest || schedule === null) continue;
    const isPaused = digest.due === null;
    const dueMs = isPaused ? schedule.next(nowMs) : jobs.nextDue(digest, nowMs);
    if (dueMs !== null && dueMs < toMs) heap.push({ digest, schedule, isPaused, dueMs });
  }
  while (due.length < MAX_COMING) {
    const first = heap.peek();
    if (first === undefined) break;
    heap.pop();
    const { digest, schedule, isPaused, dueMs } = first;
    addPlannedBefore(dueMs);
    const next = schedule.next(dueMs);
    if (next !== null && next < toMs) heap.push({ digest, schedule, isPaused, dueMs: next });
    // What is planned stands there already. A paused job is shown, and not counted: it does not come.
    if (known.has(formatRunId({ job: digest.name, dueMs, suffix: null }))) continue;
    const run = (): ComingRun => ({
      job: digest.name,
      due: isoText(dueMs),
      run: null,
      worker: null,
      pause: isPaused ? pauseToJson(jobs.pause(digest, nowMs)) : null,
      cannotRun: isPaused ? null : jobs.cannotRun(digest),
    });
    if (!isPaused) add(dueMs, run);
    else if (coming.length < limit) coming.push(run());
  }
  const complete = heap.peek() === undefined;
  addPlannedBefore(toMs);
  return { coming, all: { due, complete } };
}
