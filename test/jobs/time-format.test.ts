import { describe, expect, it } from 'vitest';
import { formatTime, parseTimeFormat } from '../../src/jobs/time-format.js';

const AT = Date.UTC(2026, 2, 1, 3, 4, 5, 6);

const written = (format: string, zone = 'UTC', ms = AT): string => {
  const parsed = parseTimeFormat(format);
  return parsed.ok ? formatTime(ms, parsed.format, zone) : `${parsed.message}; ${parsed.hint}`;
};

describe('a time format', () => {
  it.each([
    ['yyyy-MM-dd', '2026-03-01'],
    ["yyyyMMdd'T'HHmmss", '20260301T030405'],
    ['yy M d H h', '26 3 1 3 3'],
    ['EEEE, d MMMM; EEE d MMM', 'Sunday, 1 March; Sun 1 Mar'],
    ['hh:mm a SSS', '03:04 AM 006'],
    ['DDD', '060'],
    ["h 'o''clock' ''", "3 o'clock '"],
    ['xxx xx XXX', '+00:00 +0000 Z'],
  ])('%s is %s', (format, text) => {
    expect(written(format)).toBe(text);
  });

  it('is that of the clocks in the zone, also in the repeated hour', () => {
    expect(written('yyyy-MM-dd HH:mm xxx', 'America/New_York')).toBe('2026-02-28 22:04 -05:00');
    const [first, second] = [Date.UTC(2026, 9, 25, 0, 30), Date.UTC(2026, 9, 25, 1, 30)];
    expect(written('HH:mm XXX', 'Europe/Berlin', first)).toBe('02:30 +02:00');
    expect(written('HH:mm XXX', 'Europe/Berlin', second)).toBe('02:30 +01:00');
    expect(written('hh a', 'Asia/Kolkata', Date.UTC(2026, 0, 1, 18, 30))).toBe('12 AM');
  });

  it.each([
    ['', 'it is empty; such as yyyy-MM-dd'],
    ['DD.MM', '"DD" is not known; did you mean "dd"?'],
    ["yyyy'T", `a quote is not closed; write text as in yyyy-MM-dd'T'HH:mm`],
    ['yyyy-ww', /^"ww" is not known; there are yyyy yy MMMM/],
  ])('is refused: %j', (format, message) => {
    expect(written(format)).toMatch(message);
  });
});
