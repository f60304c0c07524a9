import type { Schedule } from './schedule.js';

/** A schedule made from an expression by `parseSchedule`, with what only the expression can tell. */
export interface ParsedSchedule extends Schedule {
  /** No date ever matches, such as February 30th: `next` and `previous` return null at once. */
  readonly neverFires: boolean;
  /** What a clock change did to one of this schedule's own due times, in words; undefined when nothing. */
  noteAt(dueMs: number): string | undefined;
  /** Which expressions ask for one of this schedule's own due times: one, unless several were given and coincide. */
  expressionsAt(dueMs: number): readonly string[];
}
