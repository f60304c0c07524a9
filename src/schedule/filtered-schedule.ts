/**
 * A schedule within bounds: of its due times those that lie from `startMs` to `endMs`, both included, on local dates
 * that a DayFilter allows. A due time's date is the one that the zone's clock shows at that instant.
 *
 * The search asks the inner schedule, and where the answer falls on a day that is not allowed, goes on at the next
 * allowed one. Within a segment of the zone local dates only move forward, so this jump is plain arithmetic. Where the
 * clock goes back across midnight a date can come a second time: close to a segment's end the search therefore never
 * jumps over that end.
 *
 * A filter and a schedule that never meet (`only: sat` and `0 0 * * mon`) would be searched to the year 9999. Dates and
 * weekdays of whole years repeat within 40 years; as a week has at most three days at which the search can stop in vain,
 * it gives up after those of 45 years.
 */
import type { DayFilter } from './day-filter.js';
import type { ParsedSchedule } from './parsed-schedule.js';
import type { ZoneTimeline } from './zone-timeline.js';

const DAY_SEC = 86_400;
/** More than any offset from UTC and any change of an offset. */
const SLACK_SEC = 2 * DAY_SEC;
const MAX_STEPS = 45 * 53 * 3;

export interface Bounds {
  /** The first and the last instant at which it can be due, in ms since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  /** Null: all days. */
  readonly days: DayFilter | null;
}

export class FilteredSchedule implements ParsedSchedule {
  #neverFires: boolean | undefined;

  constructor(
    private readonly inner: ParsedSchedule,
    private readonly zone: ZoneTimeline,
    private readonly bounds: Bounds,
  ) {}

  get expression(): string {
    return this.inner.expression;
  }

  get timeZone(): string {
    return this.inner.timeZone;
  }

  get neverFires(): boolean {
    return (this.#neverFires ??= this.next(-1) === null);
  }

  next(afterMs: number): number | null {
    const { startMs, endMs, days } = this.bounds;
    let dueMs = this.inner.next(Math.max(afterMs, startMs - 1));
    for (let steps = 0; dueMs !== null && dueMs <= endMs && steps < MAX_STEPS; steps += 1) {
      if (days === null) return dueMs;
      const sec = Math.floor(dueMs / 1000);
      const segment = this.zone.segmentAt(sec);
      const day = Math.floor((sec + segment.offsetSec) / DAY_SEC);
      if (days.allows(day)) return dueMs;
      const allowedDay = days.atOrAfter(day + 1);
      const allowedSec = allowedDay === null ? Infinity : allowedDay * DAY_SEC - segment.offsetSec;
      let fromSec = allowedSec;
      if (allowedSec >= segment.endSec) {
        if (days.atOrAfter(day - 2) === null) return null;
        if (segment.endSec - sec < SLACK_SEC) fromSec = segment.endSec;
        else if (allowedDay === null) return null;
        else fromSec = Math.max(segment.endSec, allowedSec) - SLACK_SEC;
      }
      dueMs = this.inner.next(Math.max(dueMs, fromSec * 1000 - 1));
    }
    return null;
  }

  previous(beforeMs: number): number | null {
    const { startMs, endMs, days } = this.bounds;
    let dueMs = this.inner.previous(Math.min(beforeMs, endMs + 1));
    for (let steps = 0; dueMs !== null && dueMs >= startMs && steps < MAX_STEPS; steps += 1) {
      if (days === null) return dueMs;
      const sec = Math.floor(dueMs / 1000);
      const segment = this.zone.segmentAt(sec);
      const day = Math.floor((sec + segment.offsetSec) / DAY_SEC);
      if (days.allows(day)) return dueMs;
      const allowedDay = days.atOrBefore(day - 1);
      /** The first second after the allowed day. */
      const endSec = allowedDay === null ? -Infinity : (allowedDay + 1) * DAY_SEC - segment.offsetSec;
      let toSec = endSec;
      if (endSec <= segment.startSec) {
        if (days.atOrBefore(day + 2) === null) return null;
        if (sec - segment.startSec < SLACK_SEC) toSec = segment.startSec;
        else if (allowedDay === null) return null;
        else toSec = Math.min(segment.startSec, endSec) + SLACK_SEC;
      }
      dueMs = this.inner.previous(Math.min(dueMs, toSec * 1000));
    }
    return null;
  }

  noteAt(dueMs: number): string | undefined {
    return this.inner.noteAt(dueMs);
  }

  expressionsAt(dueMs: number): readonly string[] {
    return this.inner.expressionsAt(dueMs);
  }
}
