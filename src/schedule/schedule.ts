/**
 * The one small interface between the rest of etcron and whatever computes due times. All times are wall-clock ms since
 * the Unix epoch. A schedule is immutable and has no memory: the same question always has the same answer, on every
 * node, which is what lets a new leader plan exactly what the old one left.
 */
export interface Schedule {
  /** The expression as it was written. */
  readonly expression: string;
  /** IANA name. `@every` is anchored at the Unix epoch and does not depend on it. */
  readonly timeZone: string;
  /** The earliest due time strictly after `afterMs`, or null when there is none (any more). */
  next(afterMs: number): number | null;
  /** The latest due time strictly before `beforeMs`, or null when there is none. */
  previous(beforeMs: number): number | null;
}
