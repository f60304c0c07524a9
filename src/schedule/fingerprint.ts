import { createHash } from 'node:crypto';
import { BoundedCache } from './bounded-cache.js';
import { readExpression } from './expression.js';
import { mentionsHash } from './hashed-field.js';
import { readMoment } from './moment.js';
import type { ScheduleOptions } from './parse-schedule.js';

/** Of those that nothing but expression and zone decide: most jobs share a few. */
const fingerprints = new BoundedCache<string, string>(20_000);

/**
 * Twelve hex digits that change when a job's schedule does: firings carry it, so that those planned under an older
 * schedule can be told apart. Spelling that cannot matter does not change it: spaces, letter case, `@daily` for
 * `0 0 * * *`, a leading `0` for seconds, `@every 60s` for `@every 1m`, the zone of an `@every`, the order of several
 * expressions, an expression given twice.
 *
 * An `H` counts as the value that it stands for. It is made from the text alone, not from the parsed fields or the resolved zone: Node's versions disagree on the
 * canonical names of zones, and every node of a cluster must come to the same value. Never throws; an invalid
 * expression has a fingerprint too.
 */
export function scheduleFingerprint(
  expression: string | readonly string[],
  timeZone: string,
  options: ScheduleOptions & { readonly jitterMs?: number } = {},
): string {
  const { startAt, endAt, only, exclude, jitterMs } = options;
  const isPlain =
    typeof expression === 'string' && !startAt && !endAt && !only?.length && !exclude?.length && !jitterMs;
  if (!isPlain || mentionsHash(expression)) return makeFingerprint(expression, timeZone, options);
  return fingerprints.getOrMake(`${timeZone}\n${expression}`, () =>
    makeFingerprint(expression, timeZone, options),
  );
}

function makeFingerprint(
  expression: string | readonly string[],
  timeZone: string,
  options: ScheduleOptions & { readonly jitterMs?: number },
): string {
  const expressions = typeof expression === 'string' ? [expression] : expression;
  const parts = new Set(expressions.map((one) => normalise(one, timeZone, options.job)));
  // No matter of due times, but of what is planned for them.
  const jitter = options.jitterMs ? [`jitter ${options.jitterMs}`] : [];
  return createHash('sha256')
    .update([...[...parts].sort(), ...filterLines(options, timeZone), ...jitter].join('\n'))
    .digest('hex')
    .slice(0, 12);
}

function filterLines(
  { startAt, endAt, only = [], exclude = [] }: ScheduleOptions,
  timeZone: string,
): string[] {
  const moments = Object.entries({ startAt, endAt }).flatMap(([name, text]) =>
    text ? [`${name} ${momentText(text, timeZone)}`] : [],
  );
  const days = Object.entries({ only, exclude }).flatMap(([name, items]) =>
    items.length === 0
      ? []
      : [
          `${name} ${items
            .map((item) => item.toLowerCase())
            .sort()
            .join(' ')}`,
        ],
  );
  return days.length === 0 ? moments : [...moments, ...days, timeZone.toLowerCase()];
}

/** An instant with its offset is the same in every zone. */
function momentText(text: string, timeZone: string): string {
  const moment = readMoment(text);
  if (moment?.kind === 'instant') return String(moment.ms);
  const local = moment ? `${moment.nominalMs}${moment.isDateOnly ? ' date' : ''}` : text;
  return `${local} ${timeZone.toLowerCase()}`;
}

function normalise(expression: string, timeZone: string, job: string | undefined): string {
  try {
    const read = readExpression(expression, job);
    if (read.kind === 'at') return `at ${momentText(expression.trim().split(/\s+/)[1]!, timeZone)}`;
    if (read.kind === 'every') return `every ${read.periodMs}`;
    return `cron ${read.fields.join(' ').toLowerCase()} ${timeZone.toLowerCase()}`;
  } catch {
    return `text ${expression} ${timeZone}`;
  }
}
