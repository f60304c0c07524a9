/**
 * A pause without an end takes all due times away until somebody ends it. One that ends at a time takes away those before
 * that time, like `startAt`: it belongs to the schedule and to its fingerprint, and needs nobody to end it.
 */
import { momentMs } from '../schedule/moment-ms.js';
import type { Job } from './job.js';
import type { JobDefinition } from './schema.js';

export interface Pause {
  readonly reason: string | null;
  /** A moment as it was written, in the zone of the job; null is until somebody ends it. */
  readonly until: string | null;
}

type Pausable = Pick<Job, 'paused' | 'startAt' | 'timezone'>;

export function resolvePause(paused: JobDefinition['paused'] = false): Job['paused'] {
  if (typeof paused === 'boolean') return paused;
  return { reason: paused.reason ?? null, until: paused.until ?? null };
}

/** Never due, until somebody changes that. */
export function isPausedForGood({ paused }: Pick<Job, 'paused'>): boolean {
  return typeof paused === 'boolean' ? paused : paused.until === null;
}

/** From when on it can be due, as it was written: the later one of `startAt` and the end of a pause. */
export function startOf({ paused, startAt, timezone }: Pausable): string | null {
  const until = typeof paused === 'boolean' ? null : paused.until;
  if (until === null || startAt === null) return until ?? startAt;
  return momentMs(until, timezone) > momentMs(startAt, timezone) ? until : startAt;
}

/** The pause that holds at `nowMs`, and when it ends (null: when somebody ends it); null when there is none. */
export function pauseAt(
  job: Pausable,
  nowMs: number,
): { reason: string | null; untilMs: number | null } | null {
  const { paused } = job;
  if (typeof paused === 'boolean') return paused ? { reason: null, untilMs: null } : null;
  const { reason, until } = paused;
  const untilMs = until === null ? null : momentMs(until, job.timezone);
  return untilMs === null || nowMs < untilMs ? { reason, untilMs } : null;
}
