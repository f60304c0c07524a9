import { pauseAt } from '../jobs/index.js';
import type { JobEntry } from '../view/job-entry.js';
import { plural } from '../plural.js';
import { isoOrNull, timeText } from '../time-text.js';

/** `done`: it will never be due again, as it stands. */
export type JobState = 'ok' | 'paused' | 'broken' | 'done';

export function jobState(entry: JobEntry, nowMs: number): JobState {
  if (entry.job === null) return 'broken';
  if (pauseAt(entry.job, nowMs) !== null) return 'paused';
  return (entry.schedule?.next(nowMs) ?? null) === null ? 'done' : 'ok';
}

/** `ok`, `broken`, `paused`, `paused until 2026-12-01 07:00:00Z: moving house`, `done after 3 runs`. */
export function stateText(entry: JobEntry, nowMs: number): string {
  const pause = entry.job && pauseAt(entry.job, nowMs);
  if (!pause) {
    const state = jobState(entry, nowMs);
    if (state !== 'done') return state;
    return entry.isDone ? `done after ${plural(entry.runs, 'run')}` : 'done: never due again';
  }
  const until = pause.untilMs === null ? '' : ` until ${timeText(pause.untilMs)}`;
  return `paused${until}${pause.reason === null ? '' : `: ${pause.reason}`}`;
}

/** For JSON: null when it is not paused. */
export function pauseToJson({ job }: JobEntry, nowMs: number): unknown {
  const pause = job && pauseAt(job, nowMs);
  return pause && { reason: pause.reason, until: isoOrNull(pause.untilMs) };
}
