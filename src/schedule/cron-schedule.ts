/**
 * The due times of a cron expression in a time zone.
 *
 * Nominal time (NominalCalendar) is what a clock on the wall can read; a zone (ZoneTimeline) is a row of segments in
 * each of which nominal time is UTC plus a constant. Between two segments the clock changes: forward, which leaves a
 * *gap* of readings that never occur, or back, which makes a stretch of readings occur *twice*.
 *
 * The rule is that of Vixie cron, which Debian's cron keeps:
 * - A *wildcard* job, whose minute or hour field begins with `*`, follows real time. It is due whenever the clock
 *   reads what its fields say: nothing in a gap, twice in a repeated stretch.
 * - Any other job has *fixed* local times, and each of these counts once per nominal date. A reading in a gap is due
 *   at the instant the gap ends; a repeated reading is due at its first occurrence.
 *
 * Invariants. Due times form a set: fixed readings of one gap, and one that is due anyway at its end, merge into one.
 * The day fields are judged on the nominal date, so a job at 00:30 on the 8th whose half hour is skipped is due at the
 * gap's end even when that is read as 01:00, and one on the 7th is not. Every answer is computed from its argument
 * alone. Every offset change is treated so, whatever its size and cause: Vixie cron takes more than three hours for a
 * correction of the clock, but etcron knows from the zone's data that it is none.
 *
 * Why not cron-parser's own iterator: in a gap it moves every time on by the gap's length, for wildcard jobs too, and
 * drops those in a gap of half an hour; it leaves out the second pass of a repeated hour where hours are listed; and a
 * step takes it hundreds of microseconds or more. cron-parser stays the reader of the fields; the walk over them is
 * here, in integer arithmetic.
 *
 * Due times lie in the years 1970 to 9999 UTC.
 */
import { formatNominal } from './local-text.js';
import type { NominalCalendar } from './nominal-calendar.js';
import type { ParsedSchedule } from './parsed-schedule.js';
import type { Segment, ZoneTimeline } from './zone-timeline.js';

const DAY_SEC = 86_400;
/** No due time lies at or after this. */
const END_SEC = Date.UTC(10_000, 0, 1) / 1000;
/** More than any offset from UTC and any change of an offset. */
const SLACK_SEC = 2 * DAY_SEC;

export class CronSchedule implements ParsedSchedule {
  constructor(
    readonly expression: string,
    private readonly zone: ZoneTimeline,
    private readonly calendar: NominalCalendar,
    /** The minute or hour field begins with `*`. */
    private readonly isWildcard: boolean,
  ) {}

  get timeZone(): string {
    return this.zone.timeZone;
  }

  get neverFires(): boolean {
    return this.calendar.isEmpty;
  }

  next(afterMs: number): number | null {
    let fromSec = Math.max(0, Math.floor(afterMs / 1000) + 1);
    while (fromSec < END_SEC) {
      const segment = this.zone.segmentAt(fromSec);
      if (segment.startSec === fromSec && this.#firesForGap(segment)) return fromSec * 1000;
      const fromNominalSec = Math.max(fromSec + segment.offsetSec, this.#firstNominalSec(segment));
      const nominalSec = this.calendar.atOrAfter(fromNominalSec);
      if (nominalSec === null) return null;
      if (nominalSec < segment.endSec + segment.offsetSec) return (nominalSec - segment.offsetSec) * 1000;
      // Go on at the next segment, or, when even a reading repeated there cannot match, close to the one that does.
      const laterSec = this.calendar.atOrAfter(segment.endSec + segment.offsetSec - SLACK_SEC);
      if (laterSec === null) return null;
      fromSec = Math.max(
        segment.endSec,
        this.zone.segmentAt(Math.min(laterSec - SLACK_SEC, END_SEC - 1)).startSec,
      );
    }
    return null;
  }

  previous(beforeMs: number): number | null {
    let toSec = Math.min(END_SEC, Math.ceil(beforeMs / 1000)) - 1;
    while (toSec >= 0) {
      const segment = this.zone.segmentAt(toSec);
      const nominalSec = this.calendar.atOrBefore(toSec + segment.offsetSec);
      if (nominalSec === null) return null;
      if (nominalSec >= this.#firstNominalSec(segment)) return (nominalSec - segment.offsetSec) * 1000;
      if (this.#firesForGap(segment)) return segment.startSec * 1000;
      const earlierSec = this.calendar.atOrBefore(segment.startSec + segment.previousOffsetSec + SLACK_SEC);
      if (earlierSec === null) return null;
      toSec = Math.min(segment.startSec - 1, earlierSec + SLACK_SEC);
    }
    return null;
  }

  noteAt(dueMs: number): string | undefined {
    const sec = dueMs / 1000;
    const segment = this.zone.segmentAt(sec);
    if (sec === segment.startSec && this.#firesForGap(segment)) return this.#gapNote(segment);
    const nominalSec = sec + segment.offsetSec;
    if (nominalSec < segment.startSec + segment.previousOffsetSec) return 'second of two (repeated hour)';
    const following = this.zone.segmentAt(Math.min(segment.endSec, END_SEC - 1));
    if (nominalSec < segment.endSec + following.offsetSec) return undefined;
    return this.isWildcard
      ? 'first of two (repeated hour)'
      : 'first of two (repeated hour); not due again in the second';
  }

  expressionsAt(): readonly string[] {
    return [this.expression];
  }

  /** The first reading of a segment that counts: for a fixed job, those repeated from the segment before do not. */
  #firstNominalSec(segment: Segment): number {
    const offsetSec = this.isWildcard
      ? segment.offsetSec
      : Math.max(segment.offsetSec, segment.previousOffsetSec);
    return segment.startSec + offsetSec;
  }

  /** Whether the segment begins with a gap that swallowed a reading of a fixed job. */
  #firesForGap(segment: Segment): boolean {
    if (this.isWildcard || segment.offsetSec <= segment.previousOffsetSec) return false;
    const nominalSec = this.calendar.atOrAfter(segment.startSec + segment.previousOffsetSec);
    return nominalSec !== null && nominalSec < segment.startSec + segment.offsetSec;
  }

  #gapNote(segment: Segment): string {
    const skipped: string[] = [];
    const gapEndSec = segment.startSec + segment.offsetSec;
    let nominalSec = this.calendar.atOrAfter(segment.startSec + segment.previousOffsetSec);
    for (
      ;
      nominalSec !== null && nominalSec < gapEndSec;
      nominalSec = this.calendar.atOrAfter(nominalSec + 1)
    ) {
      skipped.push(skipped.length < 3 ? formatNominal(nominalSec).slice(-8) : '…');
      if (skipped.length > 3) break;
    }
    const ownToo = this.calendar.atOrAfter(gapEndSec) === gapEndSec;
    const merged = ownToo || skipped.length > 1;
    const which = `${skipped.join(', ')} ${skipped.length > 1 ? 'do' : 'does'} not exist`;
    return `${merged ? 'merged' : 'moved'} by the clock change (${which})`;
  }
}
