import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeSchedule, parseSchedule, preview, scheduleFingerprint } from '../../src/schedule/index.js';
import { oracleDueTimes } from './oracle.js';

const DAY_MS = 86_400_000;

interface Row {
  schedule: string;
  zone: string;
  day: string;
  due: string;
}

const page = readFileSync(new URL('../../docs/schedules.md', import.meta.url), 'utf8');
const rows: Row[] = [...page.matchAll(/^\| `([^`]+)` \| (\w+\/\w+) \| (\d{4}-\d\d-\d\d) \| (.+) \|$/gm)].map(
  ([, schedule, zone, day, due]) => ({ schedule: schedule!, zone: zone!, day: day!, due: due! }),
);

/** A due time as `03:00 -04:00` when its local date is `day`, by Intl alone. */
function onDay(dueMs: number, { zone, day }: Row): string | undefined {
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'short',
  });
  const [date, time] = format.format(dueMs).split(' ');
  const offset = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    .formatToParts(dueMs)
    .find((part) => part.type === 'timeZoneName')!.value;
  return date === day ? `${time} ${offset.slice(3)}` : undefined;
}

describe('the examples in docs/schedules.md', () => {
  it('are found', () => {
    expect(rows.length).toBeGreaterThan(20);
  });

  it.each(rows)('$schedule in $zone on $day', (row) => {
    const fromMs = Date.parse(`${row.day}T00:00Z`) - DAY_MS;
    const toMs = fromMs + 3 * DAY_MS;
    const text = (dueTimes: number[]): string =>
      dueTimes
        .map((dueMs) => onDay(dueMs, row))
        .filter((due) => due !== undefined)
        .join(', ') || 'nothing';

    const previewed = preview(parseSchedule(row.schedule, row.zone), fromMs, 500);
    expect(text(previewed.map((entry) => entry.dueMs).filter((dueMs) => dueMs < toMs))).toBe(row.due);
    expect(text(oracleDueTimes(`0 ${row.schedule}`, row.zone, fromMs, toMs))).toBe(row.due);
  });

  const workdays = [...page.matchAll(/^\| `([^`]+W [^`]+)` \| (\d{4}-\d\d) \| (.+) \|$/gm)];
  it.each(workdays.map(([, schedule, month, due]) => ({ schedule, month, due })))(
    '$schedule in $month',
    ({ schedule, month, due }) => {
      const entries = preview(parseSchedule(schedule!, 'UTC'), Date.parse(`${month}-01`) - 1, 1);
      const days = entries
        .map(({ localText }) => localText.slice(0, 14))
        .filter((day) => day.includes(month!));
      expect(days.join(', ') || 'nothing').toBe(due);
    },
  );

  const once = [...page.matchAll(/^\| `(@at [^`]+)` \| (\w+\/\w+) \| (\S+Z) \|$/gm)];
  it.each(once.map(([, schedule, zone, due]) => ({ schedule, zone, due })))(
    '$schedule in $zone',
    ({ schedule, zone, due }) => {
      const parsed = parseSchedule(schedule!, zone!);
      expect(parsed.next(0)).toBe(Date.parse(due!));
      expect(parsed.next(Date.parse(due!))).toBeNull();
    },
  );

  const hashed = [...page.matchAll(/^\| `([^`]*H[^`]*)` \| `([^`]+)` \|$/gm)];
  it.each(hashed.map(([, written, plain]) => ({ written, plain })))(
    '$written is $plain for backup',
    ({ written, plain }) => {
      expect(scheduleFingerprint(written!, 'UTC', { job: 'backup' })).toBe(
        scheduleFingerprint(plain!, 'UTC'),
      );
    },
  );

  it('have examples of W, @at and H', () => {
    expect([workdays.length, once.length, hashed.length]).toEqual([6, 6, 6]);
  });

  it('have macros that stand for what the page says', () => {
    const macros = [...page.matchAll(/^\| (`@[^|]+) \| `([^`]+)` \|$/gm)];
    expect(macros).toHaveLength(5);
    for (const [, names, fields] of macros) {
      for (const [, name] of names!.matchAll(/`([^`]+)`/g)) {
        expect(describeSchedule(name!)).toBe(describeSchedule(fields!));
      }
    }
  });
});
