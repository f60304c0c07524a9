import { pauseAt } from '../../jobs/index.js';
import type { JobEntry } from '../../view/job-entry.js';
import { isoOrNull, timeText } from '../time-text.js';

export type JobState = 'ok' | 'paused' | 'broken';

export function jobState({ job }: JobEntry, nowMs: number): JobState {
  if (job === null) return 'broken';
  return pauseAt(job, nowMs) === null ? 'ok' : 'paused';
}

/** `ok`, `broken`, `paused`, `paused until 2026-12-01 07:00:00Z: moving house`. */
export function stateText(entry: JobEntry, nowMs: number): string {
  const pause = entry.job && pauseAt(entry.job, nowMs);
  if (!pause) return jobState(entry, nowMs);
  const until = pause.untilMs === null ? '' : ` until ${timeText(pause.untilMs)}`;
  return `paused${until}${pause.reason === null ? '' : `: ${pause.reason}`}`;
}

/** For JSON: null when it is not paused. */
export function pauseToJson({ job }: JobEntry, nowMs: number): unknown {
  const pause = job && pauseAt(job, nowMs);
  return pause && { reason: pause.reason, until: isoOrNull(pause.untilMs) };
}
