import { parseDuration, formatDuration, DURATION_HELP } from '../duration.js';
import { EtcronError } from '../errors.js';
import { FIELD_KINDS, FieldProblem, type FieldKind } from './field.js';
import { expandHashes, mentionsHash } from './hashed-field.js';
import { momentProblem, readMoment, type Moment } from './moment.js';
import { nearest } from './nearest.js';

/** The six fields of a cron expression, seconds first, as written; an `H` has become the value that it stands for. */
export type FieldTexts = readonly [
  second: string,
  minute: string,
  hour: string,
  dayOfMonth: string,
  month: string,
  dayOfWeek: string,
];

/** What an expression says, before its fields are judged: a fixed period, one moment, or six cron fields. */
export type Expression =
  | { readonly kind: 'at'; readonly moment: Moment }
  | { readonly kind: 'every'; readonly periodMs: number }
  | { readonly kind: 'cron'; readonly fields: FieldTexts };

/** The shortest period of `@every`; cron fields cannot say less either. */
export const MIN_PERIOD_MS = 1_000;

const MAX_LENGTH = 1_024;

const MACROS: Readonly<Record<string, FieldTexts>> = {
  '@yearly': ['0', '0', '0', '1', '1', '*'],
  '@annually': ['0', '0', '0', '1', '1', '*'],
  '@monthly': ['0', '0', '0', '1', '*', '*'],
  '@weekly': ['0', '0', '0', '*', '*', '0'],
  '@daily': ['0', '0', '0', '*', '*', '*'],
  '@midnight': ['0', '0', '0', '*', '*', '*'],
  '@hourly': ['0', '0', '*', '*', '*', '*'],
};

const MACRO_NAMES = [...Object.keys(MACROS), '@every', '@at'];

/** An error about a whole expression; `problem` continues the sentence "the schedule … is not valid: ". */
export function scheduleError(
  expression: string,
  problem: string,
  hint: string,
  details: Record<string, unknown> = {},
): EtcronError {
  const shown = expression.length > 100 ? `${expression.slice(0, 100)}…` : expression;
  return new EtcronError('ETCRON_SCHEDULE_INVALID', `the schedule "${shown}" is not valid: ${problem}`, {
    hint,
    details: { expression, ...details },
  });
}

/**
 * Splits an expression into its period or its six fields; macros become fields, a missing seconds field becomes `0`.
 * `job` is the name that `H` is hashed from. Throws ETCRON_SCHEDULE_INVALID. What else stands in the fields is not judged
 * here.
 */
export function readExpression(expression: string, job?: string): Expression {
  const text = expression.trim();
  if (text === '') throw scheduleError(expression, 'it is empty', 'write five cron fields, or @every 90s');
  if (text.length > MAX_LENGTH) {
    throw scheduleError(
      expression,
      `it is longer than ${MAX_LENGTH} characters`,
      'split it into several jobs',
    );
  }
  const words = text.split(/\s+/);
  if (text.startsWith('@')) return readMacro(expression, words);
  if (/^(?:CRON_)?TZ=/.test(text)) {
    throw scheduleError(
      expression,
      'a time zone does not belong into the expression',
      'set the time zone beside the schedule (timezone in a job, --tz on the command line)',
    );
  }
  if (words.length < 5 || words.length > 6) {
    throw scheduleError(
      expression,
      `it has ${words.length} field${words.length === 1 ? '' : 's'}, not 5 or 6`,
      words.length < 5
        ? 'write: minute hour day-of-month month day-of-week, with seconds before them if you like'
        : 'there is no year field, and the command does not belong into the schedule',
      { fields: words.length },
    );
  }
  const six = words.length === 5 ? ['0', ...words] : words;
  const fields = mentionsHash(expression)
    ? six.map((field, index) => {
        const kind = FIELD_KINDS[index]!;
        return inField(expression, kind, field, () => expandHashes(kind, field, job));
      })
    : six;
  return { kind: 'cron', fields: fields as unknown as FieldTexts };
}

/** What `read` makes of a field; its FieldProblem becomes an error that names the expression, the field and its range. */
export function inField<Value>(expression: string, kind: FieldKind, text: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FieldProblem)) throw error;
    throw scheduleError(expression, `${kind.label} field: ${error.message}`, error.hint, {
      field: kind.name,
      text,
      allowed: `${kind.min}-${kind.max}`,
    });
  }
}

function readMacro(expression: string, words: readonly string[]): Expression {
  const name = words[0]!.toLowerCase();
  if (name === '@every') return { kind: 'every', periodMs: readPeriod(expression, words.slice(1)) };
  if (name === '@at') return { kind: 'at', moment: readAt(expression, words.slice(1)) };
  if (name === '@reboot') {
    throw scheduleError(
      expression,
      '@reboot has no due time: a cluster does not boot as a machine does',
      "run the command from the machine's own init system, or give the job a schedule",
    );
  }
  const fields = Object.hasOwn(MACROS, name) ? MACROS[name] : undefined;
  if (fields === undefined) {
    const near = nearest(name, MACRO_NAMES, 1)[0];
    throw scheduleError(
      expression,
      `${words[0]} is unknown`,
      near === undefined ? `known are ${MACRO_NAMES.join(' ')}` : `did you mean ${near}?`,
    );
  }
  if (words.length > 1) throw scheduleError(expression, `nothing may follow ${name}`, `write ${name} alone`);
  return { kind: 'cron', fields };
}

function readAt(expression: string, words: readonly string[]): Moment {
  const text = words.join(' ');
  const moment = readMoment(text);
  if (moment !== null) return moment;
  const [problem, hint] = momentProblem(text)!.split('\n');
  throw scheduleError(expression, `the time of @at ${problem}`, hint!);
}

function readPeriod(expression: string, words: readonly string[]): number {
  if (words.length !== 1) {
    const problem = words.length === 0 ? '@every needs a period' : '@every takes one period without spaces';
    throw scheduleError(expression, problem, DURATION_HELP);
  }
  const periodMs = parseDuration(words[0]!);
  if (periodMs === null) throw scheduleError(expression, `"${words[0]}" is no duration`, DURATION_HELP);
  if (periodMs < MIN_PERIOD_MS) {
    const shortest = formatDuration(MIN_PERIOD_MS);
    throw scheduleError(
      expression,
      `the period ${formatDuration(periodMs)} is shorter than ${shortest}`,
      `use @every ${shortest} or longer`,
      { minimumMs: MIN_PERIOD_MS },
    );
  }
  return periodMs;
}
