/**
 * The value of `cursor`: how far the schedule has been planned. It says two things.
 *
 * - Every due time up to `plannedThrough`, in the total order (due, job), of every job whose definition has a
 *   modification revision ≤ `jobsRevision`, has been turned into a firing.
 * - A definition with a later revision was written at or after the wall-clock time `at`, so it is planned from there.
 *
 * The next leader plans exactly what is left. Only the leader in office writes it, each write fenced by the leader key
 * and by the cursor's own modification revision, so it never goes back.
 */
import { z } from 'zod';
import { isoTime } from '../etcd/record.js';

export const cursorRecordSchema = z.object({
  plannedThrough: z.object({
    due: isoTime,
    /** The last job planned at `due`; null when all of them were. */
    job: z.string().nullable(),
  }),
  jobsRevision: z.number().int().nonnegative(),
  at: isoTime,
  /**
   * Later than `plannedThrough`, where a leader did not believe a cursor that lay far in the future: due times up to here may
   * have a firing or a record, and are planned with compares.
   */
  againThrough: isoTime.nullable().default(null),
});

export type CursorRecord = z.output<typeof cursorRecordSchema>;
