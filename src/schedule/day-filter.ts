/** Which local dates `only` and `exclude` let through. Days are counted from 1970-01-01. */
import { nearest } from './nearest.js';
import { readDate } from './moment.js';

const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
/** 1970-01-01 was a Thursday. */
const FIRST_WEEKDAY = 4;

type DayItem =
  | { readonly kind: 'dates'; readonly first: number; readonly last: number }
  | { readonly kind: 'weekdays'; readonly first: number; readonly last: number };

/** An item, or what is wrong with it, with a hint on the second line. */
function readItem(text: string): DayItem | string {
  const shown = JSON.stringify(text.slice(0, 60));
  if (/^\s*\d/.test(text)) {
    const [from, to = from, ...rest] = text.split('..');
    const first = readDate(from!);
    const last = readDate(to!);
    if (first === null || last === null || rest.length > 0) {
      return `must be a date from 1970 on, not ${shown}\nwrite 2026-12-24, or 2026-12-24..2027-01-02 for all days up to the last`;
    }
    if (first > last) return `runs backwards: ${shown}\nwrite ${to}..${from}`;
    return { kind: 'dates', first, last };
  }
  const [from, to = from, ...rest] = text.toUpperCase().split('-');
  const first = WEEKDAYS.indexOf(from!);
  const last = WEEKDAYS.indexOf(to!);
  if (first < 0 || last < 0 || rest.length > 0) {
    const near = nearest(text.slice(0, 3), WEEKDAYS, 1)[0]?.toLowerCase();
    const hint =
      near === undefined ? `weekdays are ${WEEKDAYS.join(' ').toLowerCase()}` : `did you mean "${near}"?`;
    return `must be a date, a range of dates or a weekday, not ${shown}\n${hint}`;
  }
  if (first > last) return `runs backwards: ${shown}\nlist the weekdays one by one`;
  return { kind: 'weekdays', first, last };
}

/** What is wrong with an item of `only` or `exclude`, with a hint on the second line; null when nothing. */
export function dayItemProblem(text: string): string | null {
  const item = readItem(text);
  return typeof item === 'string' ? item : null;
}

class DaySet {
  readonly dates: readonly DayItem[];
  readonly #weekdays: readonly boolean[];

  /** Items that are none count for nothing: they were judged before. */
  constructor(texts: readonly string[]) {
    const items = texts.map((text) => readItem(text)).filter((item) => typeof item !== 'string');
    this.dates = items.filter(({ kind }) => kind === 'dates');
    this.#weekdays = WEEKDAYS.map((_, weekday) =>
      items.some(({ kind, first, last }) => kind === 'weekdays' && first <= weekday && weekday <= last),
    );
  }

  has(day: number): boolean {
    if (this.#weekdays[(day + FIRST_WEEKDAY) % 7]!) return true;
    return this.dates.some(({ first, last }) => first <= day && day <= last);
  }
}

export class DayFilter {
  readonly #only: DaySet | null;
  readonly #exclude: DaySet;
  /** The days at which a range begins, or has just ended; ascending. Between two of them only weekdays matter. */
  readonly #edges: readonly number[];

  constructor(only: readonly string[], exclude: readonly string[]) {
    this.#only = only.length === 0 ? null : new DaySet(only);
    this.#exclude = new DaySet(exclude);
    const ranges = [...(this.#only?.dates ?? []), ...this.#exclude.dates];
    this.#edges = [...new Set(ranges.flatMap(({ first, last }) => [first, last + 1]))].sort((a, b) => a - b);
  }

  allows(day: number): boolean {
    return (this.#only === null || this.#only.has(day)) && !this.#exclude.has(day);
  }

  /** The first allowed day ≥ `day`, or null when there is none. */
  atOrAfter(day: number): number | null {
    // A week without edges that holds no allowed day says that there is none before the next edge.
    for (let tried = 0; !this.allows(day); tried += 1) {
      if (tried < 7) day += 1;
      else {
        const edge = this.#edges.find((one) => one > day);
        if (edge === undefined) return null;
        day = edge;
      }
      if (this.#edges.includes(day)) tried = -1;
    }
    return day;
  }

  /** The last allowed day ≤ `day`, or null when there is none since 1970. */
  atOrBefore(day: number): number | null {
    for (let tried = 0; day < 0 || !this.allows(day); tried += 1) {
      if (day < 0) return null;
      if (tried < 7) day -= 1;
      else {
        const edge = this.#edges.findLast((one) => one <= day);
        if (edge === undefined) return null;
        day = edge - 1;
      }
      if (this.#edges.includes(day + 1)) tried = -1;
    }
    return day;
  }
}
