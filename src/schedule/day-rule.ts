import type { FieldValues } from './field.js';

const DAY_MS = 86_400_000;

/**
 * Which days of a month match, as a bit mask with bit 1 for the 1st up to bit 31 for the 31st: the three day fields
 * become a few integer operations per month instead of a test per day.
 *
 * Vixie cron's rule for the two day fields: when the text of either begins with `*` (or is `?`), a day must match
 * both; else it is enough to match one. So `0 0 13 * 5` is every 13th and every Friday, while the mondays of
 * `0 0 *\/2 * 1` are only those on odd days.
 */
export class DayRule {
  readonly #months: ReadonlySet<number>;
  readonly #daysOfMonth: number;
  readonly #lastDay: boolean;
  readonly #lastWorkday: boolean;
  readonly #nearestWorkdays: readonly number[];
  /** Indexed by the weekday of the 1st. */
  readonly #byFirstWeekday: readonly number[];
  readonly #lastWeekdays: readonly number[];
  readonly #either: boolean;

  constructor(dayOfMonth: FieldValues, month: FieldValues, dayOfWeek: FieldValues, either: boolean) {
    this.#months = month.values;
    this.#daysOfMonth = [...dayOfMonth.values].reduce((mask, day) => mask | (1 << day), 0);
    this.#lastDay = dayOfMonth.lastDay;
    this.#lastWorkday = dayOfMonth.lastWorkday;
    this.#nearestWorkdays = [...dayOfMonth.nearestWorkdays];
    this.#byFirstWeekday = [0, 1, 2, 3, 4, 5, 6].map((first) => weekdayMask(dayOfWeek, first));
    this.#lastWeekdays = [...dayOfWeek.lastWeekdays];
    this.#either = either;
  }

  /** The matching days of a month (1-12) of a year as bits 1…31; 0 when there is none. */
  daysIn(year: number, month: number): number {
    if (!this.#months.has(month)) return 0;
    const firstMs = Date.UTC(year, month - 1, 1);
    const length = (Date.UTC(year, month, 1) - firstMs) / DAY_MS;
    const firstWeekday = new Date(firstMs).getUTCDay();
    let byDate = this.#daysOfMonth | (this.#lastDay ? 1 << length : 0);
    for (const day of this.#nearestWorkdays) byDate |= nearestWorkday(day, firstWeekday, length);
    if (this.#lastWorkday) byDate |= nearestWorkday(length, firstWeekday, length);
    let byWeekday = this.#byFirstWeekday[firstWeekday]!;
    for (const weekday of this.#lastWeekdays) {
      const lastWeekday = (firstWeekday + length - 1) % 7;
      byWeekday |= 1 << (length - ((lastWeekday - weekday + 7) % 7));
    }
    // Bits above the month's length (`2 << 31` is 0, and −1 is all bits) and the unused bit 0 are cut off.
    const inMonth = ((2 << length) - 1) & ~1;
    return (this.#either ? byDate | byWeekday : byDate & byWeekday) & inMonth;
  }
}

/**
 * The day of Monday to Friday nearest to `day`, as a bit: the one before a Saturday and the one after a Sunday, unless
 * that lies in another month. 0 when the month has no such day.
 */
function nearestWorkday(day: number, firstWeekday: number, length: number): number {
  if (day > length) return 0;
  const weekday = (firstWeekday + day - 1) % 7;
  if (weekday === 6) return 1 << (day > 1 ? day - 1 : 3);
  if (weekday === 0) return 1 << (day < length ? day + 1 : length - 2);
  return 1 << day;
}

function weekdayMask(dayOfWeek: FieldValues, firstWeekday: number): number {
  let mask = 0;
  for (let day = 1; day <= 31; day++) {
    const weekday = (firstWeekday + day - 1) % 7;
    const nth = Math.ceil(day / 7);
    const isNth = dayOfWeek.nthWeekdays.some((rule) => rule.weekday === weekday && rule.nth === nth);
    if (dayOfWeek.values.has(weekday) || isNth) mask |= 1 << day;
  }
  return mask;
}
