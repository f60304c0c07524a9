import { EtcronError } from '../errors.js';
import { AtSchedule } from './at-schedule.js';
import { BoundedCache } from './bounded-cache.js';
import { CronSchedule } from './cron-schedule.js';
import { DayFilter, dayItemProblem } from './day-filter.js';
import { DayRule } from './day-rule.js';
import { EverySchedule } from './every-schedule.js';
import { inField, readExpression, scheduleError, type FieldTexts } from './expression.js';
import { FIELD_KINDS, readField, type FieldValues } from './field.js';
import { FilteredSchedule } from './filtered-schedule.js';
import { mentionsHash } from './hashed-field.js';
import { momentProblem, readMoment, resolveMoment } from './moment.js';
import { NominalCalendar } from './nominal-calendar.js';
import type { ParsedSchedule } from './parsed-schedule.js';
import { UnionSchedule } from './union-schedule.js';
import { ValueSet } from './value-set.js';
import { zoneTimeline } from './zone-timeline.js';

/** Many jobs share a few expressions, and jobs are parsed again whenever their definition changes. */
const schedules = new BoundedCache<string, ParsedSchedule>(20_000);
const fieldCache = new BoundedCache<string, FieldValues>(2_000);
const valueSets = new BoundedCache<FieldValues, ValueSet>(2_000);

export interface ScheduleOptions {
  /** The job's name: what `H` is hashed from. */
  readonly job?: string;
  /** The first and the last moment at which it can be due; a date alone is meant from its beginning, or to its end. */
  readonly startAt?: string | null;
  readonly endAt?: string | null;
  /** Local dates (`2026-12-24`), ranges of them (`2026-12-24..2027-01-02`) and weekdays (`sat`, `mon-fri`). */
  readonly only?: readonly string[];
  readonly exclude?: readonly string[];
}

/**
 * The due times of an expression in a time zone (an IANA name): five cron fields, six with seconds first, `@hourly`
 * and the like, `@every 90s`, or `@at 2026-12-24T18:00:00`; or those of several expressions together. Parsing the same expression and zone again
 * gives the same object while it is cached.
 *
 * Throws ETCRON_SCHEDULE_INVALID, whose details name the field, its text and its allowed range, and
 * ETCRON_TIMEZONE_INVALID with near matches. An expression that can never fire is no error: see `neverFires`.
 */
export function parseSchedule(
  expression: string | readonly string[],
  timeZone: string,
  options: ScheduleOptions = {},
): ParsedSchedule {
  const schedule = parseAll(expression, timeZone, options.job);
  const { startAt, endAt, only = [], exclude = [] } = options;
  if (!startAt && !endAt && only.length === 0 && exclude.length === 0) return schedule;
  const zone = zoneTimeline(timeZone);
  const bound = (text: string | null | undefined, isEnd: boolean): number => {
    if (!text) return isEnd ? Infinity : 0;
    const moment = readMoment(text);
    if (moment !== null) return resolveMoment(moment, zone, isEnd).ms;
    throw filterError(isEnd ? 'endAt' : 'startAt', momentProblem(text)!);
  };
  for (const [name, items] of Object.entries({ only, exclude })) {
    const problem = items.map((item) => dayItemProblem(item)).find((one) => one !== null);
    if (problem) throw filterError(name, problem);
  }
  const days = only.length + exclude.length === 0 ? null : new DayFilter(only, exclude);
  return new FilteredSchedule(schedule, zone, {
    startMs: bound(startAt, false),
    endMs: bound(endAt, true),
    days,
  });
}

function filterError(name: string, problem: string): EtcronError {
  const [message, hint] = problem.split('\n');
  return new EtcronError('ETCRON_SCHEDULE_INVALID', `${name} ${message}`, { hint: hint! });
}

function parseAll(
  expression: string | readonly string[],
  timeZone: string,
  job: string | undefined,
): ParsedSchedule {
  if (typeof expression === 'string') return parseOne(expression, timeZone, job);
  const parts = expression.map((one) => parseOne(one, timeZone, job));
  if (parts.length === 0) throw scheduleError('', 'the list is empty', 'write one expression or several');
  return parts.length === 1 ? parts[0]! : new UnionSchedule(parts);
}

function parseOne(expression: string, timeZone: string, job: string | undefined): ParsedSchedule {
  const hashedFrom = mentionsHash(expression) ? job : undefined;
  const key = `${timeZone}\n${expression}`;
  return schedules.getOrMake(hashedFrom === undefined ? key : `${key}\n${hashedFrom}`, () => {
    const read = readExpression(expression, hashedFrom);
    if (read.kind === 'at') {
      const zone = zoneTimeline(timeZone);
      const { ms, note } = resolveMoment(read.moment, zone);
      return new AtSchedule(expression, timeZone, ms, note);
    }
    if (read.kind === 'every') {
      return new EverySchedule(expression, zoneTimeline(timeZone).timeZone, read.periodMs);
    }
    const calendar = readCalendar(expression, read.fields);
    const isWildcard = read.fields[1].startsWith('*') || read.fields[2].startsWith('*');
    return new CronSchedule(expression, zoneTimeline(timeZone), calendar, isWildcard);
  });
}

/** Whether a day must match both day fields (Vixie cron's rule): the text of one begins with `*`, or is `?`. */
export function mustMatchBothDays(fields: FieldTexts): boolean {
  return /^[*?]/.test(fields[3]) || /^[*?]/.test(fields[5]);
}

/** The six fields of an expression, read and checked. Throws ETCRON_SCHEDULE_INVALID, naming the field. */
export function readFields(expression: string, texts: FieldTexts): FieldValues[] {
  return FIELD_KINDS.map((kind, index) => {
    const text = texts[index]!;
    return inField(expression, kind, text, () =>
      fieldCache.getOrMake(`${kind.name} ${text}`, () => readField(kind, text)),
    );
  });
}

function readCalendar(expression: string, texts: FieldTexts): NominalCalendar {
  const [second, minute, hour, dayOfMonth, month, dayOfWeek] = readFields(expression, texts);
  const toSet = (field: FieldValues, max: number): ValueSet =>
    valueSets.getOrMake(field, () => new ValueSet(field.values, max));
  const days = new DayRule(dayOfMonth!, month!, dayOfWeek!, !mustMatchBothDays(texts));
  return new NominalCalendar(toSet(second!, 59), toSet(minute!, 59), toSet(hour!, 23), days);
}
