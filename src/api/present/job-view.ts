/** A job as lists show it. */
import { formatRunId } from '../../etcd/keys.js';
import { firingState } from '../../operations/firing-state.js';
import { describeSchedule } from '../../schedule/index.js';
import { BoundedCache } from '../../schedule/bounded-cache.js';
import type { JobDigest } from '../reader/job-book.js';
import type { LiveView } from '../reader/live-view.js';
import type { RunFeed } from '../reader/run-feed.js';
import type { RunItem } from '../reader/run-item.js';
import type { JobView } from '../schemas/jobs.js';
import { isoText, pauseToJson } from './text.js';

/** To say a schedule in words takes longer than all the rest. */
const wordsOf = new BoundedCache<string, string>(5_000);

export function jobToJson(live: LiveView, feed: RunFeed, digest: JobDigest, nowMs: number): JobView {
  const { jobs } = live;
  const { name } = digest;
  const state = jobs.state(digest, nowMs);
  return {
    name,
    state,
    pause: pauseToJson(jobs.pause(digest, nowMs)),
    schedule: [...digest.schedule],
    timezone: digest.timezone,
    when: state === 'broken' ? null : scheduleWords(name, digest.schedule),
    description: digest.description,
    labels: { ...digest.labels },
    kind: digest.kind,
    cannotRun: state === 'ok' ? jobs.cannotRun(digest) : null,
    problem: digest.problem,
    next: isoText(jobs.nextDue(digest, nowMs)),
    ...countFirings(live, name, nowMs),
    lastRun: lastRunToJson(feed.shelf.newestOf(name)),
    revision: digest.revision,
  };
}

export function scheduleWords(job: string, schedule: readonly string[]): string {
  // The name decides what an H stands for.
  return wordsOf.getOrMake(`${job}\n${schedule.join('\n')}`, () => describeSchedule(schedule, { job }));
}

/** How many firings of a job workers have, and how many are due that nobody has. */
export function countFirings(
  { view }: Pick<LiveView, 'view'>,
  job: string,
  nowMs: number,
): { running: number; late: number } {
  const counts = { running: 0, late: 0 };
  for (const firing of view.firingsByJob.get(job)?.values() ?? []) {
    const state = firingState(firing, view.workers, nowMs);
    if (state === 'running' || state === 'claimed') counts.running += 1;
    else if (state === 'late' || state === 'orphaned') counts.late += 1;
  }
  return counts;
}

function lastRunToJson(item: RunItem | undefined): JobView['lastRun'] {
  if (!item || item.outcome === null) return null;
  const { id, outcome, durationMs } = item;
  return { run: formatRunId(id), due: isoText(id.dueMs), outcome, durationMs };
}
