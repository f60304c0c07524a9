import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JobEntry } from '../../src/view/job-entry.js';

const NOW_MS = Date.UTC(2026, 0, 1, 12);

function entry(text: string, name = 'a'): JobEntry {
  const versions = { createRevision: 5, modRevision: 7, version: 2, leaseId: null };
  return new JobEntry(name, { key: `/cron/jobs/${name}`, value: Buffer.from(text), ...versions });
}

/** `null` stands for a field that is not written. */
const definition = fc.record({
  command: fc.constant('true'),
  schedule: fc.constantFrom<unknown>('@daily', '*/5 * * * *', 'H 3 * * mon', '@every 90s', '61 * * * *', 7, [
    '@daily',
    '@hourly',
  ]),
  timezone: fc.constantFrom(null, 'UTC', 'Europe/Berlin', 'Nowhere/Land'),
  startAt: fc.constantFrom(null, null, null, '2027-01-01'),
  endAt: fc.constantFrom(null, null, null, '2026-06-01'),
  only: fc.constantFrom(null, null, null, 'sat'),
  exclude: fc.constantFrom(null, null, null, ['mon-fri']),
  paused: fc.constantFrom(null, null, false, true, { until: '2026-02-01' }),
  maxRuns: fc.constantFrom(null, null, 3),
  jitter: fc.constantFrom(null, '10s', 'x'),
  weight: fc.constantFrom(null, 1, -1),
});

describe('the schedule that is expected before a definition is parsed', () => {
  it('is the one that parsing finds, if it is sound', () => {
    let sound = 0;
    fc.assert(
      fc.property(definition, fc.boolean(), (fields, isPretty) => {
        const text = JSON.stringify(fields, null, isPretty ? 2 : 0);
        const expected = entry(text).expectedSchedule;
        const { job, schedule } = entry(text);
        if (job === null) return;
        sound += 1;
        expect(expected === null).toBe(schedule === null);
        let fromMs: number | null = NOW_MS;
        for (let count = 0; count < 3 && fromMs !== null; count += 1) {
          const due: number | null = schedule?.next(fromMs) ?? null;
          expect(expected?.next(fromMs) ?? null).toBe(due);
          fromMs = due;
        }
      }),
      { numRuns: 300 },
    );
    expect(sound).toBeGreaterThan(20);
  });

  it.each(['schedule: "@daily"\ncommand: true\n', '{"schedule":"@daily","command":"true"} # yes'])(
    'is found by parsing where it is not JSON: %j',
    (text) => {
      expect(entry(text).expectedSchedule?.next(NOW_MS)).toBe(Date.UTC(2026, 0, 2));
    },
  );

  it('is none of a definition that is no map, or no text', () => {
    for (const text of ['', '[]', '{', '{"schedule":null}', '\0', '"@daily"'])
      expect(entry(text).expectedSchedule).toBeNull();
  });
});

it('says why a definition is broken, before and after it was asked for the job', () => {
  const broken = entry('{"schedule":"@daily"}');
  expect(broken.problems).toHaveLength(1);
  expect(broken.job).toBeNull();
  expect(broken.problems).toHaveLength(1);
  const sound = entry('{"schedule":"@daily","command":"true"}');
  expect(sound.problems).toEqual([]);
  expect(sound.job?.schedule).toBe('@daily');
  expect(sound.problems).toEqual([]);
});
