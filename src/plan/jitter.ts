import { createHash } from 'node:crypto';
import type { Job } from '../jobs/index.js';
import type { Schedule } from '../schedule/index.js';

/**
 * When the firing of a due time is to start, in ms since the epoch: null for the due time itself. With `jitter` it is a
 * moment in [due, due + jitter), and before the next due time, that is hashed from the job's name and the due time: the
 * same for whoever plans it, and another one for the next due time. The due time stays what it is, and with it the run's
 * id and its place in the plan; and as no start comes after the start of a later due time, what is overdue of a job is
 * always an unbroken row of due times, which is how misses are recorded.
 */
export function jitteredStart(
  { name, jitterMs }: Pick<Job, 'name' | 'jitterMs'>,
  schedule: Schedule,
  dueMs: number,
): number | null {
  if (jitterMs === 0) return null;
  const spanMs = Math.min(jitterMs, (schedule.next(dueMs) ?? Infinity) - dueMs);
  const hash = createHash('sha256').update(`jitter\n${name}\n${dueMs}`).digest().readUIntBE(0, 6);
  return dueMs + (hash % spanMs);
}
