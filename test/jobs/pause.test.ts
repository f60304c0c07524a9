import { describe, expect, it } from 'vitest';
import { isPausedForGood, parseJobValue, pauseAt, scheduleOf, type Job } from '../../src/jobs/index.js';

function job(fields: string): Job {
  const parsed = parseJobValue('x', `{ schedule: '0 * * * *', command: x, ${fields} }`);
  if (!parsed.ok) throw new Error(parsed.problems.map(({ message, hint }) => `${message} (${hint})`).join());
  return parsed.job;
}

const NOW = Date.parse('2026-11-21T14:10:00Z');
const next = (of: Job): string => new Date(scheduleOf(of).next(NOW)!).toISOString();

describe('a pause with an end', () => {
  const paused = job('timezone: Europe/Berlin, paused: { until: 2026-11-22T08:30, reason: moving }');

  it('takes the due times before its end away, in the zone of the job', () => {
    expect(next(paused)).toBe('2026-11-22T08:00:00.000Z');
    expect(scheduleOf(paused).previous(NOW)).toBeNull();
    expect(next(job('timezone: UTC, paused: { until: 2026-11-22T08:30 }'))).toBe('2026-11-22T09:00:00.000Z');
    expect(next(job('paused: { until: 2026-11-22T08:30:00+05:30 }'))).toBe('2026-11-22T03:00:00.000Z');
    // The end itself is in.
    expect(next(job('paused: { until: 2026-11-22T08:00 }'))).toBe('2026-11-22T08:00:00.000Z');
    expect(next(job('paused: { until: 2026-11-23 }'))).toBe('2026-11-23T00:00:00.000Z');
  });

  it('is over by itself', () => {
    const endMs = Date.parse('2026-11-22T07:30:00Z');
    expect(isPausedForGood(paused)).toBe(false);
    expect(pauseAt(paused, endMs - 1)).toEqual({ reason: 'moving', untilMs: endMs });
    expect(pauseAt(paused, endMs)).toBeNull();
  });

  it('changes the fingerprint, so that what was planned before is planned anew', () => {
    const fingerprint = (fields: string): string => job(fields).fingerprint;
    const other = fingerprint('paused: { until: 2026-11-22T08:00 }');
    expect(other).not.toBe(fingerprint(''));
    expect(other).not.toBe(fingerprint('paused: { until: 2026-11-22T09:00 }'));
    expect(other).toBe(fingerprint('paused: { until: 2026-11-22T08:00, reason: x }'));
    expect(fingerprint('paused: { reason: x }')).toBe(fingerprint(''));
  });

  it('and startAt: the later one counts', () => {
    expect(next(job('startAt: 2026-12-24, paused: { until: 2026-11-22 }'))).toBe('2026-12-24T00:00:00.000Z');
    expect(next(job('startAt: 2026-11-22, paused: { until: 2026-12-24 }'))).toBe('2026-12-24T00:00:00.000Z');
  });
});

describe('a pause without an end', () => {
  it.each(['paused: true', 'paused: {}', 'paused: { reason: x }'])('%s', (fields) => {
    expect(isPausedForGood(job(fields))).toBe(true);
    expect(pauseAt(job(fields), NOW)).toMatchObject({ untilMs: null });
  });

  it('is none: paused: false', () => {
    expect(isPausedForGood(job('paused: false'))).toBe(false);
    expect(pauseAt(job(''), NOW)).toBeNull();
  });
});

it.each([
  ['paused: { until: soon }', /must be a time/],
  ['paused: { until: 2026-13-01 }', /must be a time/],
  ['paused: { untill: 2026-12-01 }', /is not a field of paused.*did you mean "until"/],
  ['paused: { reason: " " }', /must not be empty/],
  ['paused: 3', /must be true, false or a map/],
])('%s is refused', (fields, message) => {
  expect(() => job(fields)).toThrow(message);
});
