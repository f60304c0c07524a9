import type { DayRule } from './day-rule.js';
import type { ValueSet } from './value-set.js';

const DAY_SEC = 86_400;
/** The Gregorian calendar, weekdays included, repeats after 400 years: what does not occur in them never does. */
const CYCLE_MONTHS = 400 * 12;

/**
 * The cron fields over *nominal* time: clock readings without any time zone, counted as seconds since a nominal
 * 1970-01-01 00:00:00. Here each day has 24 hours and each reading exists once; what clock changes do to the readings
 * is the business of CronSchedule.
 */
export class NominalCalendar {
  /** No day of the calendar matches, such as February 30th. */
  readonly isEmpty: boolean;

  constructor(
    private readonly seconds: ValueSet,
    private readonly minutes: ValueSet,
    private readonly hours: ValueSet,
    private readonly days: DayRule,
  ) {
    this.isEmpty = this.#dayAfter(new Date(0)) === null;
  }

  /** The first matching reading ≥ `nominalSec`, or null when there is none. */
  atOrAfter(nominalSec: number): number | null {
    if (this.isEmpty) return null;
    const day = Math.floor(nominalSec / DAY_SEC);
    const date = new Date(day * DAY_SEC * 1000);
    if (this.#matchesDay(date)) {
      const timeSec = this.#timeAtOrAfter(nominalSec - day * DAY_SEC);
      if (timeSec >= 0) return day * DAY_SEC + timeSec;
    }
    const nextDaySec = this.#dayAfter(date);
    if (nextDaySec === null) return null;
    return nextDaySec + this.hours.first * 3600 + this.minutes.first * 60 + this.seconds.first;
  }

  /** The last matching reading ≤ `nominalSec`, or null when there is none. */
  atOrBefore(nominalSec: number): number | null {
    if (this.isEmpty) return null;
    const day = Math.floor(nominalSec / DAY_SEC);
    const date = new Date(day * DAY_SEC * 1000);
    if (this.#matchesDay(date)) {
      const timeSec = this.#timeAtOrBefore(nominalSec - day * DAY_SEC);
      if (timeSec >= 0) return day * DAY_SEC + timeSec;
    }
    const previousDaySec = this.#dayBefore(date);
    if (previousDaySec === null) return null;
    return previousDaySec + this.hours.last * 3600 + this.minutes.last * 60 + this.seconds.last;
  }

  #matchesDay(date: Date): boolean {
    const days = this.days.daysIn(date.getUTCFullYear(), date.getUTCMonth() + 1);
    return (days & (1 << date.getUTCDate())) !== 0;
  }

  #dayAfter(date: Date): number | null {
    let year = date.getUTCFullYear();
    let month = date.getUTCMonth() + 1;
    let later = -2 << date.getUTCDate();
    for (let i = 0; i <= CYCLE_MONTHS; i++) {
      const days = this.days.daysIn(year, month) & later;
      if (days !== 0) return Date.UTC(year, month - 1, 31 - Math.clz32(days & -days)) / 1000;
      later = -1;
      if (month++ === 12) [year, month] = [year + 1, 1];
    }
    return null;
  }

  #dayBefore(date: Date): number | null {
    let year = date.getUTCFullYear();
    let month = date.getUTCMonth() + 1;
    let earlier = (1 << date.getUTCDate()) - 1;
    for (let i = 0; i <= CYCLE_MONTHS; i++) {
      const days = this.days.daysIn(year, month) & earlier;
      if (days !== 0) return Date.UTC(year, month - 1, 31 - Math.clz32(days)) / 1000;
      earlier = -1;
      if (month-- === 1) [year, month] = [year - 1, 12];
    }
    return null;
  }

  #timeAtOrAfter(timeSec: number): number {
    const hour = Math.floor(timeSec / 3600);
    const minute = Math.floor(timeSec / 60) % 60;
    const { hours, minutes, seconds } = this;
    if (hours.atOrAfter(hour) === hour) {
      if (minutes.atOrAfter(minute) === minute) {
        const second = seconds.atOrAfter(timeSec % 60);
        if (second >= 0) return hour * 3600 + minute * 60 + second;
      }
      const nextMinute = minutes.atOrAfter(minute + 1);
      if (nextMinute >= 0) return hour * 3600 + nextMinute * 60 + seconds.first;
    }
    const nextHour = hours.atOrAfter(hour + 1);
    return nextHour < 0 ? -1 : nextHour * 3600 + minutes.first * 60 + seconds.first;
  }

  #timeAtOrBefore(timeSec: number): number {
    const hour = Math.floor(timeSec / 3600);
    const minute = Math.floor(timeSec / 60) % 60;
    const { hours, minutes, seconds } = this;
    if (hours.atOrBefore(hour) === hour) {
      if (minutes.atOrBefore(minute) === minute) {
        const second = seconds.atOrBefore(timeSec % 60);
        if (second >= 0) return hour * 3600 + minute * 60 + second;
      }
      const previousMinute = minutes.atOrBefore(minute - 1);
      if (previousMinute >= 0) return hour * 3600 + previousMinute * 60 + seconds.last;
    }
    const previousHour = hours.atOrBefore(hour - 1);
    return previousHour < 0 ? -1 : previousHour * 3600 + minutes.last * 60 + seconds.last;
  }
}
