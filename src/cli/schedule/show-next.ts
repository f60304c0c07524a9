import { describeSchedule, parseSchedule, preview } from '../../schedule/index.js';
import type { CliContext } from '../context.js';
import { renderTable } from '../table.js';
import { isoOrNull, relativeText, timeText } from '../time-text.js';

export interface NextOptions {
  readonly tz: string;
  readonly count: number;
  /** ms since the epoch. */
  readonly from?: number;
}

/** Prints what a schedule means and when it is due. Throws ETCRON_SCHEDULE_INVALID and ETCRON_TIMEZONE_INVALID. */
export function showNext(context: CliContext, expression: string, options: NextOptions): void {
  const { out, colors } = context;
  const schedule = parseSchedule(expression, options.tz);
  const description = describeSchedule(expression);
  const nowMs = context.clock.now();
  const fromMs = options.from ?? nowMs;
  const entries = preview(schedule, fromMs, options.count);
  if (context.json) {
    const due = entries.map(({ dueMs, localText, note }) => ({
      due: isoOrNull(dueMs),
      local: localText,
      note: note ?? null,
    }));
    out.json({ schedule: expression, timezone: options.tz, description, from: isoOrNull(fromMs), due });
    return;
  }
  out.line(`${colors.bold(expression)}  ${description} (${schedule.timeZone})`);
  if (entries.length === 0) {
    out.line(
      schedule.neverFires
        ? 'It is never due: no date matches.'
        : `It is never due after ${timeText(fromMs)}.`,
    );
    return;
  }
  const rows = entries.map(({ dueMs, localText, note }) => [
    localText,
    timeText(dueMs),
    relativeText(dueMs, nowMs),
    { text: note ?? '', paint: colors.yellow },
  ]);
  out.line(renderTable(context, ['LOCAL', 'UTC', '', ''], rows));
}
