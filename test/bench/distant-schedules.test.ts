import { expect, it } from 'vitest';
import { distantSchedules } from '../../bench/distant-schedules.js';
import { createRandom } from '../../src/random.js';
import { parseSchedule } from '../../src/schedule/index.js';

it('makes daily and monthly schedules in ten time zones, none of them due within the hour', () => {
  // The clocks of Berlin, London and New York are changed within these days.
  for (const now of ['2026-03-28T22:30:00Z', '2026-10-31T23:10:00Z', '2026-07-01T12:00:00Z']) {
    const nowMs = Date.parse(now);
    const schedules = distantSchedules(nowMs, 400, createRandom(now));
    expect(new Set(schedules.map(({ timezone }) => timezone)).size).toBe(10);
    const monthly = schedules.filter(({ schedule }) => !schedule.endsWith('* * *'));
    expect(monthly.length).toBeGreaterThan(100);
    expect(monthly.length).toBeLessThan(220);
    for (const { schedule, timezone } of schedules) {
      const next = parseSchedule(schedule, timezone).next(nowMs);
      expect(next).toBeGreaterThan(nowMs + 3_600_000);
    }
  }
});
