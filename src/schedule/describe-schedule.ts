import cronstrue from 'cronstrue';
import { formatDuration } from '../duration.js';
import { readExpression, type FieldTexts } from './expression.js';
import { mustMatchBothDays, readFields } from './parse-schedule.js';
import type { FieldValues } from './field.js';

/**
 * An expression in English, such as "At 02:30, only on Monday"; several of them with "; and" between.
 * Throws ETCRON_SCHEDULE_INVALID.
 */
export function describeSchedule(expression: string | readonly string[]): string {
  const expressions = typeof expression === 'string' ? [expression] : expression;
  return expressions.map((one) => describeOne(one)).join('; and ');
}

function describeOne(expression: string): string {
  const read = readExpression(expression);
  if (read.kind === 'every') {
    return `Every ${formatDuration(read.periodMs)}, counted from 1970-01-01 00:00:00 UTC`;
  }
  const values = readFields(expression, read.fields);
  const text = cronstrue.toString(plainFields(read.fields, values).join(' '), {
    use24HourTimeFormat: true,
    logicalAndDayFields: true,
  });
  const eitherDay = !mustMatchBothDays(read.fields);
  return eitherDay ? `${text.replace(', only on ', ', or on ')} (either day matches)` : text;
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
