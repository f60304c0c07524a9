import { describe, expect, it } from 'vitest';
import { describeSchedule, scheduleFingerprint } from '../../src/schedule/index.js';

describe('describeSchedule', () => {
  it.each([
    ['30 2 * * 1', 'At 02:30, only on Monday'],
    ['@daily', 'At 00:00'],
    ['@every 5400s', 'Every 1h30m, counted from 1970-01-01 00:00:00 UTC'],
    ['*/15 * * * *', 'Every 15 minutes'],
    ['*/20 * * * * *', 'Every 20 seconds'],
    ['0 0 13 * 5', 'At 00:00, on day 13 of the month, or on Friday (either day matches)'],
    ['0 0 */2 * 5', 'At 00:00, every 2 days in a month, only on Friday'],
    ['*/45 5 * * *', 'At 0 and 45 minutes past the hour, at 05:00'],
    ['0 0 * * */3', 'At 00:00, only on Sunday, Wednesday, and Saturday'],
    ['*,5 * * * *', 'Every minute'],
    ['0 0 L * *', 'At 00:00, on the last day of the month'],
    ['0 9 15w * *', 'At 09:00, on the weekday nearest day 15 of the month'],
    ['0 9 LW * *', 'At 09:00, on the last weekday of the month'],
    ['0 9 1,15W,LW * *', 'At 09:00, on day 1, the weekday nearest day 15, the last weekday of the month'],
  ])('%s', (expression, text) => {
    expect(describeSchedule(expression)).toBe(text);
  });

  it('refuses what parseSchedule refuses', () => {
    expect(() => describeSchedule('0 25 * * *')).toThrow('25 is outside 0-23');
    expect(() => describeSchedule('@reboot')).toThrow('no due time');
  });
});

describe('scheduleFingerprint', () => {
  it('is stable: firings in etcd carry it across versions', () => {
    expect(scheduleFingerprint('0 0 * * *', 'UTC')).toBe('4dc4a74c64ac');
    expect(scheduleFingerprint('@every 90s', 'UTC')).toBe('cadf47da21f4');
  });

  it.each([
    ['0 0 * * *', 'UTC', '@daily', 'utc'],
    ['0 0 * * *', 'UTC', '  0  0 0 * * * ', 'UTC'],
    ['0 0 * * mon', 'UTC', '0 0 * * MON', 'UTC'],
    ['@every 60s', 'UTC', '@every 1m', 'Europe/Berlin'],
    ['nonsense', 'UTC', 'nonsense', 'UTC'],
  ])('%s in %s is as %s in %s', (one, zone, other, otherZone) => {
    expect(scheduleFingerprint(one, zone)).toBe(scheduleFingerprint(other, otherZone));
  });

  it.each([
    ['0 0 * * *', 'UTC', '0 1 * * *', 'UTC'],
    ['0 0 * * *', 'UTC', '0 0 * * *', 'Europe/Berlin'],
    ['@every 60s', 'UTC', '@every 61s', 'UTC'],
    ['nonsense', 'UTC', 'nonsens', 'UTC'],
  ])('%s in %s is not %s in %s', (one, zone, other, otherZone) => {
    expect(scheduleFingerprint(one, zone)).not.toBe(scheduleFingerprint(other, otherZone));
    expect(scheduleFingerprint(one, zone)).toMatch(/^[0-9a-f]{12}$/);
  });
});
