import { BoundedCache } from './bounded-cache.js';
import { assertTimeZone } from './time-zone-name.js';

/** A stretch of time in which a zone's offset from UTC is constant. */
export interface Segment {
  /** Seconds since the Unix epoch: the change of the offset that began the segment, or the start of a year (UTC). */
  readonly startSec: number;
  /** The first second after the segment: the next change, or the start of the next year. */
  readonly endSec: number;
  /** Local reading minus UTC. */
  readonly offsetSec: number;
  /** The offset just before `startSec`; the same as `offsetSec` where the segment only begins with a year. */
  readonly previousOffsetSec: number;
}

const DAY_SEC = 86_400;
/**
 * Offsets are sampled this far apart and changes between two samples bisected. A zone that changed and changed back
 * in between would go unseen: the closest two changes of any zone since 1970 lie almost 7 days apart.
 */
const SAMPLE_SEC = 2 * DAY_SEC;
const MAX_CACHED_YEARS = 64;

const OFFSET = /GMT(?:([+-])(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?)?$/;

/**
 * A zone's offsets as constant segments. Asking Intl costs microseconds per question, so each year is surveyed once,
 * when first needed (some 0.5 ms); after that a question is a look into a short array.
 */
export class ZoneTimeline {
  readonly #format: Intl.DateTimeFormat;
  readonly #years = new Map<number, readonly Segment[]>();
  #latest: Segment = { startSec: 0, endSec: 0, offsetSec: 0, previousOffsetSec: 0 };

  /** Throws ETCRON_TIMEZONE_INVALID. */
  constructor(readonly timeZone: string) {
    assertTimeZone(timeZone);
    this.#format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' });
  }

  /** The segment that holds a second since the Unix epoch, which lies in the years 1970 to 9999. */
  segmentAt(sec: number): Segment {
    if (sec >= this.#latest.startSec && sec < this.#latest.endSec) return this.#latest;
    const segments = this.#segmentsOf(new Date(sec * 1000).getUTCFullYear());
    let index = segments.length - 1;
    while (index > 0 && segments[index]!.startSec > sec) index--;
    return (this.#latest = segments[index]!);
  }

  #segmentsOf(year: number): readonly Segment[] {
    let segments = this.#years.get(year);
    if (segments === undefined) {
      segments = this.#survey(Date.UTC(year, 0, 1) / 1000, Date.UTC(year + 1, 0, 1) / 1000);
      if (this.#years.size >= MAX_CACHED_YEARS) this.#years.clear();
      this.#years.set(year, segments);
    }
    return segments;
  }

  /**
   * The segments that reach into a year. The survey begins a little earlier, so that a change just before the new year
   * is known and the readings it repeats are recognised on both sides of midnight UTC.
   */
  #survey(yearStartSec: number, yearEndSec: number): Segment[] {
    const segments: Segment[] = [];
    let startSec = yearStartSec;
    let offsetSec = this.#offsetAt(yearStartSec - SAMPLE_SEC);
    let previousOffsetSec = offsetSec;
    for (let fromSec = yearStartSec - SAMPLE_SEC; fromSec < yearEndSec - 1; fromSec += SAMPLE_SEC) {
      const toSec = Math.min(fromSec + SAMPLE_SEC, yearEndSec - 1);
      const laterOffsetSec = this.#offsetAt(toSec);
      if (laterOffsetSec === offsetSec) continue;
      const changeSec = this.#changeBetween(fromSec, toSec, offsetSec);
      if (changeSec > yearStartSec)
        segments.push({ startSec, endSec: changeSec, offsetSec, previousOffsetSec });
      [startSec, previousOffsetSec, offsetSec] = [changeSec, offsetSec, laterOffsetSec];
    }
    segments.push({ startSec, endSec: yearEndSec, offsetSec, previousOffsetSec });
    return segments;
  }

  /** The first second in (`fromSec`, `toSec`] that no longer has the offset of `fromSec`. */
  #changeBetween(fromSec: number, toSec: number, offsetSec: number): number {
    let before = fromSec;
    let after = toSec;
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.#offsetAt(middle) === offsetSec) before = middle;
      else after = middle;
    }
    return after;
  }

  #offsetAt(sec: number): number {
    const [, sign, hours, minutes, seconds] = OFFSET.exec(this.#format.format(sec * 1000)) ?? [];
    const size = Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + Number(seconds ?? 0);
    return sign === '-' ? -size : size;
  }
}

const timelines = new BoundedCache<string, ZoneTimeline>(1_000);

/** The timeline of a zone, shared by its schedules. Throws ETCRON_TIMEZONE_INVALID. */
export function zoneTimeline(timeZone: string): ZoneTimeline {
  return timelines.getOrMake(timeZone, () => new ZoneTimeline(timeZone));
}
