import type Cronstrue from 'cronstrue';
import { formatDuration } from '../duration.js';
import { lazyModule } from '../lazy-module.js';
import { readExpression, type FieldTexts } from './expression.js';
import { mustMatchBothDays, readFields, type ScheduleOptions } from './parse-schedule.js';
import type { FieldValues } from './field.js';

const cronstrue = lazyModule<typeof Cronstrue>('cronstrue');

/**
 * An expression in English, such as "At 02:30, only on Monday"; several of them with "; and" between.
 * Throws ETCRON_SCHEDULE_INVALID.
 */
export function describeSchedule(
  expression: string | readonly string[],
  { job }: ScheduleOptions = {},
): string {
  const expressions = typeof expression === 'string' ? [expression] : expression;
  return expressions.map((one) => describeOne(one, job)).join('; and ');
}

/** What bounds a schedule, such as "from 2026-12-01; only on sat, sun"; empty when nothing does. */
export function describeBounds({ startAt, endAt, only = [], exclude = [] }: ScheduleOptions): string {
  return [
    ...(startAt ? [`from ${startAt}`] : []),
    ...(endAt ? [`until ${endAt}`] : []),
    ...(only.length > 0 ? [`only on ${only.join(', ')}`] : []),
    ...(exclude.length > 0 ? [`not on ${exclude.join(', ')}`] : []),
  ].join('; ');
}

function describeOne(expression: string, job: string | undefined): string {
  const read = readExpression(expression, job);
  if (read.kind === 'at') return `Once, at ${expression.trim().split(/\s+/)[1]!.replace('T', ' ')}`;
  if (read.kind === 'every') {
    return `Every ${formatDuration(read.periodMs)}, counted from 1970-01-01 00:00:00 UTC`;
  }
  const values = readFields(expression, read.fields);
  const plain = plainFields(read.fields, values);
  const text = withWorkdays(
    plain[3]!,
    cronstrue().toString(plain.with(3, withoutWorkdays(plain[3]!)).join(' '), {
      use24HourTimeFormat: true,
      logicalAndDayFields: true,
    }),
  );
  const eitherDay = !mustMatchBothDays(read.fields);
  return eitherDay ? `${text.replace(', only on ', ', or on ')} (either day matches)` : text;
}

/** cronstrue knows `W` in a day alone, and not in a list: there it is shown the last day, whose words are replaced. */
function withoutWorkdays(dayOfMonth: string): string {
  return isListOfWorkdays(dayOfMonth) ? 'L' : dayOfMonth.toUpperCase();
}

function withWorkdays(dayOfMonth: string, text: string): string {
  if (!isListOfWorkdays(dayOfMonth)) return text;
  const days = dayOfMonth
    .toUpperCase()
    .split(',')
    .map((item) => {
      if (item === 'L') return 'the last day';
      if (item === 'LW') return 'the last weekday';
      return item.endsWith('W') ? `the weekday nearest day ${item.slice(0, -1)}` : `day ${item}`;
    });
  return text.replace('the last day of the month', `${days.join(', ')} of the month`);
}

function isListOfWorkdays(dayOfMonth: string): boolean {
  return dayOfMonth.includes(',') && /W/i.test(dayOfMonth);
}

/**
 * The fields in the form that cronstrue describes rightly: `*` for a list that contains one, and the values themselves
 * for weekdays in steps and for a step that does not divide its field, since `*\/45` means the minutes 0 and 45 and not
 * "every 45 minutes".
 */
function plainFields(fields: FieldTexts, values: readonly FieldValues[]): string[] {
  return fields.map((text, index) => {
    if (text.split(',').includes('*')) return '*';
    const step = Number(/^\*\/(\d+)$/.exec(text)?.[1] ?? 1);
    const isUneven = index < 3 ? (index === 2 ? 24 : 60) % step !== 0 : index === 5 && step > 1;
    if (!isUneven) return text;
    return [...values[index]!.values].join(',');
  });
}
