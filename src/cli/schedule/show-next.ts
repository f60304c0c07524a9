import { EtcronError } from '../../errors.js';
import {
  describeBounds,
  describeSchedule,
  parseSchedule,
  preview,
  type PreviewEntry,
} from '../../schedule/index.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';
import { isoOrNull, relativeText, timeText } from '../../time-text.js';

export interface NextOptions {
  readonly tz: string;
  readonly count: number;
  /** ms since the epoch. */
  readonly from?: number;
  /** The job's name, for `H`. */
  readonly job?: string;
  readonly startAt?: string;
  readonly endAt?: string;
  readonly only?: readonly string[];
  readonly exclude?: readonly string[];
}

/**
 * Prints what schedules mean and when one of them is due. Throws ETCRON_SCHEDULE_INVALID, ETCRON_TIMEZONE_INVALID, and
 * ETCRON_USAGE when the fields of an expression came as several arguments.
 */
export function showNext(context: CliContext, expressions: readonly string[], options: NextOptions): void {
  assertQuoted(expressions);
  const { out, colors } = context;
  const schedule = parseSchedule(expressions, options.tz, options);
  const nowMs = context.clock.now();
  const fromMs = options.from ?? nowMs;
  const entries = preview(schedule, fromMs, options.count);
  const isSeveral = expressions.length > 1;
  if (context.json) {
    out.json({
      schedule: isSeveral ? expressions : expressions[0],
      timezone: options.tz,
      description: describeSchedule(expressions, options),
      ...boundsOf(options),
      from: isoOrNull(fromMs),
      due: entries.map((entry) => toJson(entry, isSeveral)),
    });
    return;
  }
  for (const expression of expressions) {
    out.line(`${colors.bold(expression)}  ${describeSchedule(expression, options)} (${schedule.timeZone})`);
  }
  const bounds = describeBounds(options);
  if (bounds !== '') out.line(bounds);
  if (entries.length === 0) {
    out.line(
      schedule.neverFires
        ? 'It is never due: no date matches.'
        : `It is never due after ${timeText(fromMs)}.`,
    );
    return;
  }
  const rows = entries.map(({ dueMs, localText, note, expressions: asking }) => [
    localText,
    timeText(dueMs),
    relativeText(dueMs, nowMs),
    ...(isSeveral ? [asking.join('; ')] : []),
    { text: note ?? '', paint: colors.yellow },
  ]);
  out.line(renderTable(context, ['LOCAL', 'UTC', '', ...(isSeveral ? ['SCHEDULE'] : []), ''], rows));
}

function boundsOf({ startAt, endAt, only, exclude }: NextOptions): Partial<NextOptions> {
  return {
    ...(startAt === undefined ? {} : { startAt }),
    ...(endAt === undefined ? {} : { endAt }),
    ...(only === undefined ? {} : { only }),
    ...(exclude === undefined ? {} : { exclude }),
  };
}

function toJson({ dueMs, localText, note, expressions }: PreviewEntry, isSeveral: boolean): unknown {
  return {
    due: isoOrNull(dueMs),
    local: localText,
    note: note ?? null,
    ...(isSeveral ? { schedules: expressions } : {}),
  };
}

/** Without quotes a shell makes an argument of each field, and file names of a `*`. */
function assertQuoted(expressions: readonly string[]): void {
  if (expressions.length === 1) return;
  const bare = expressions.find((expression) => /^[^@\s]\S*$/.test(expression));
  if (bare === undefined) return;
  throw new EtcronError('ETCRON_USAGE', `"${bare}" is no schedule`, {
    hint: 'put each schedule in quotes: etcron next "0 7 * * *" "0 10 * * sat"',
  });
}
