import { CronExpressionParser, type CronFieldCollection } from 'cron-parser';
import { nearest } from './nearest.js';

const MONTH_NAMES = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAY_NAMES = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

export type FieldName = 'second' | 'minute' | 'hour' | 'dayOfMonth' | 'month' | 'dayOfWeek';

export interface FieldKind {
  readonly name: FieldName;
  /** As messages call it. */
  readonly label: string;
  readonly min: number;
  readonly max: number;
  /** How many different values there are; a longer step never takes effect. */
  readonly size: number;
  readonly names: readonly string[];
  /** The number of the first name. */
  readonly firstNamed: number;
}

/** The six fields in their order. */
export const FIELD_KINDS: readonly FieldKind[] = [
  { name: 'second', label: 'second', min: 0, max: 59, size: 60, names: [], firstNamed: 0 },
  { name: 'minute', label: 'minute', min: 0, max: 59, size: 60, names: [], firstNamed: 0 },
  { name: 'hour', label: 'hour', min: 0, max: 23, size: 24, names: [], firstNamed: 0 },
  { name: 'dayOfMonth', label: 'day-of-month', min: 1, max: 31, size: 31, names: [], firstNamed: 0 },
  { name: 'month', label: 'month', min: 1, max: 12, size: 12, names: MONTH_NAMES, firstNamed: 1 },
  { name: 'dayOfWeek', label: 'day-of-week', min: 0, max: 7, size: 7, names: WEEKDAY_NAMES, firstNamed: 0 },
];

/** What is wrong with a field; `problem` names the item. */
export class FieldProblem extends Error {
  constructor(
    problem: string,
    readonly hint: string,
  ) {
    super(problem);
  }
}

/** What one field lets through. Weekdays count from 0 = Sunday; 7 has become 0. */
export interface FieldValues {
  readonly values: ReadonlySet<number>;
  /** `L` in day-of-month: the last day of the month. */
  readonly lastDay: boolean;
  /** `LW` in day-of-month: the last of Monday to Friday in the month. */
  readonly lastWorkday: boolean;
  /** `15W` in day-of-month: the day of Monday to Friday that is nearest to the 15th in the same month. */
  readonly nearestWorkdays: ReadonlySet<number>;
  /** `5L` in day-of-week: the last such weekday of the month. */
  readonly lastWeekdays: ReadonlySet<number>;
  /** `5#2` in day-of-week: the second Friday of the month. */
  readonly nthWeekdays: readonly { readonly weekday: number; readonly nth: number }[];
}

/**
 * Reads one field. The values come from cron-parser, item by item: a list is the union of its items, each free to use
 * `L` or `#`, and an error can name the item. Syntax that cron-parser reads but that would surprise here (`?` outside
 * the day fields, a step that can never take effect) is refused first, with messages of our own; `W` is not known to it
 * and read here. `H` has been replaced before. Throws FieldProblem.
 */
export function readField(kind: FieldKind, text: string): FieldValues {
  const values = new Set<number>();
  const lastWeekdays = new Set<number>();
  const nthWeekdays: { weekday: number; nth: number }[] = [];
  const nearestWorkdays = new Set<number>();
  let lastDay = false;
  let lastWorkday = false;
  for (const item of text.split(',')) {
    const workday = kind.name === 'dayOfMonth' ? /^(?:L|([0-9]+))W$/i.exec(item) : null;
    if (workday !== null) {
      if (workday[1] === undefined) lastWorkday = true;
      else nearestWorkdays.add(readNumber(kind, workday[1]));
      continue;
    }
    checkItem(kind, item);
    const field = parseItem(kind, item)[kind.name];
    const nth = 'nthDay' in field ? field.nthDay : 0;
    for (const value of field.values) {
      if (value === 'L') lastDay = true;
      else if (typeof value === 'string') lastWeekdays.add(Number.parseInt(value, 10) % 7);
      else if (nth > 0) nthWeekdays.push({ weekday: value % 7, nth });
      else values.add(kind.name === 'dayOfWeek' ? value % 7 : value);
    }
  }
  return { values, lastDay, lastWorkday, nearestWorkdays, lastWeekdays, nthWeekdays };
}

function parseItem(kind: FieldKind, item: string): CronFieldCollection {
  const texts = FIELD_KINDS.map((other) => (other === kind ? item.toUpperCase() : '*'));
  try {
    return CronExpressionParser.parse(texts.join(' ')).fields;
  } catch (error) {
    throw new FieldProblem(`"${item}" is not understood (${(error as Error).message})`, help(kind));
  }
}

const ITEM = /^(?:[*?]|([0-9]+|[a-z]+)(?:-([0-9]+|[a-z]+))?)(?:\/([0-9]+))?$/i;

function checkItem(kind: FieldKind, item: string): void {
  if (item === '') throw new FieldProblem('an item of the list is empty', 'remove the extra comma');
  if (kind.name === 'dayOfMonth' && item.toUpperCase() === 'L') return;
  if (kind.name === 'dayOfWeek') {
    const special = /^([0-9]+|[a-z]{3})(?:L|#[1-5])$/i.exec(item);
    if (special !== null) return void readNumber(kind, special[1]!);
  }
  const parts = ITEM.exec(item);
  if (parts === null || /^(?:L|W|LW)$/i.test(parts[1] ?? '')) throw notUnderstood(kind, item);
  const [, first, last, step] = parts;
  if (item.startsWith('?') && (!kind.name.startsWith('day') || step !== undefined)) {
    throw new FieldProblem('"?" only stands alone in a day field', 'write *');
  }
  const low = first === undefined ? undefined : readNumber(kind, first);
  const high = last === undefined ? undefined : readNumber(kind, last);
  if (low !== undefined && high !== undefined && low > high) throw reversed(kind, item, low, high, step);
  if (step === undefined) return;
  if (Number(step) === 0)
    throw new FieldProblem(`"${item}": a step of 0 never advances`, 'use a step of 1 or more');
  if (Number(step) > kind.size) {
    throw new FieldProblem(
      `"${item}": a step of ${step} is longer than the ${kind.size} values of the field`,
      kind.max === 59
        ? `for every ${step} ${kind.label}s write @every ${step}${kind.label.charAt(0)}`
        : `use a step of 1-${kind.size}, or @every with a duration`,
    );
  }
}

/** A number or name within the field's bounds. Throws FieldProblem. */
export function readNumber(kind: FieldKind, text: string): number {
  if (/^[0-9]+$/.test(text)) {
    const value = Number(text);
    if (value >= kind.min && value <= kind.max) return value;
    throw new FieldProblem(`${text} is outside ${kind.min}-${kind.max}`, help(kind));
  }
  const index = kind.names.indexOf(text.toUpperCase());
  if (index >= 0) return kind.firstNamed + index;
  if (kind.names.length === 0) {
    throw new FieldProblem(`"${text}" is no number from ${kind.min} to ${kind.max}`, help(kind));
  }
  const near = nearest(text.slice(0, 3), kind.names, 1)[0];
  throw new FieldProblem(
    `"${text}" is no ${kind.name === 'month' ? 'month' : 'weekday'}`,
    near === undefined ? `names are ${kind.names.join(' ')}` : `did you mean ${near}?`,
  );
}

/** Ranges do not wrap around, as in Vixie cron; the hint writes the range that was probably meant. */
function reversed(
  kind: FieldKind,
  item: string,
  low: number,
  high: number,
  step: string | undefined,
): FieldProblem {
  const problem = `the range "${item}" runs backwards`;
  if (step !== undefined) return new FieldProblem(problem, 'list the values one by one');
  if (kind.name === 'dayOfWeek' && high === 0)
    return new FieldProblem(problem, `for up to Sunday write ${low}-7`);
  const lastOfAll = kind.name === 'dayOfWeek' ? 6 : kind.max;
  const from = low === lastOfAll ? `${low}` : `${low}-${lastOfAll}`;
  const to = high === kind.min ? `${high}` : `${kind.min}-${high}`;
  return new FieldProblem(problem, `to go around the end write ${from},${to}`);
}

function notUnderstood(kind: FieldKind, item: string): FieldProblem {
  if (kind.name === 'dayOfWeek' && /^L$/i.test(item)) {
    return new FieldProblem('"L" needs a weekday before it', 'for the last Friday of the month write 5L');
  }
  if (/W/i.test(item) && kind.name.startsWith('dayOf') && !/WE/i.test(item)) {
    return new FieldProblem(
      `"${item}" is not understood`,
      '"W" follows one day of the month: 15W is the weekday nearest to the 15th, LW the last one',
    );
  }
  if (/L/i.test(item) && kind.name === 'dayOfMonth') {
    return new FieldProblem(`"${item}" is not supported`, 'L alone means the last day of the month');
  }
  return new FieldProblem(`"${item}" is not understood`, help(kind));
}

function help(kind: FieldKind): string {
  const names = kind.names.length === 0 ? '' : ` or ${kind.names[0]}-${kind.names.at(-1)}`;
  return `the ${kind.label} field takes ${kind.min}-${kind.max}${names}, *, a-b, */n, a-b/n, and lists of these`;
}
