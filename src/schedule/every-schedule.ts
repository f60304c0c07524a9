import type { ParsedSchedule } from './parsed-schedule.js';

/** No due time lies at or after the year 10000, as with cron expressions. */
const END_MS = Date.UTC(10_000, 0, 1);

/**
 * `@every`: due at the multiples of the period since 1970-01-01T00:00:00Z. An anchor that never moves means that a
 * restart, a new leader or an edit of another field cannot shift the phase. Clock changes do not matter to it.
 */
export class EverySchedule implements ParsedSchedule {
  readonly neverFires = false;

  constructor(
    readonly expression: string,
    readonly timeZone: string,
    private readonly periodMs: number,
  ) {}

  next(afterMs: number): number | null {
    const dueMs = Math.max(0, (Math.floor(afterMs / this.periodMs) + 1) * this.periodMs);
    return dueMs < END_MS ? dueMs : null;
  }

  previous(beforeMs: number): number | null {
    const dueMs = (Math.ceil(Math.min(beforeMs, END_MS) / this.periodMs) - 1) * this.periodMs;
    return dueMs >= 0 ? dueMs : null;
  }

  noteAt(): undefined {
    return undefined;
  }

  expressionsAt(): readonly string[] {
    return [this.expression];
  }
}
