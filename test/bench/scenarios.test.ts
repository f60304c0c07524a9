import { describe, expect, it } from 'vitest';
import type { Start } from '../../bench/evidence.js';
import type { StartNote } from '../../bench/notes.js';
import { compareStarts } from '../../bench/scenarios/leader-kill.js';
import { compareSamples, type MemorySample } from '../../bench/scenarios/memory.js';
import { judgeStarts } from '../../bench/scenarios/worker-kill.js';
import { onlyAt, secondsBetween } from '../../bench/schedules.js';
import { parseSchedule } from '../../src/schedule/index.js';
import { emptyRecord } from '../../src/history/run-record.js';

const DUE = Date.parse('2026-01-01T00:00:10.000Z');
const A = 'a/2026-01-01T00:00:10.000Z';
const B = 'b/2026-01-01T00:00:10.000Z';

function start(runId: string, atMs: number, attempt = 1, workerPid = 7): Start {
  return { runId, attempt, workerPid, atMs };
}

describe('schedules', () => {
  it('are due at one second, and no other for a while', () => {
    const schedule = parseSchedule(onlyAt(new Date(DUE)), 'UTC');
    expect(schedule.next(DUE - 5_000)).toBe(DUE);
    expect(schedule.next(DUE)).toBeGreaterThan(DUE + 300 * 24 * 3_600_000);
  });

  it('hold the whole seconds of a stretch', () => {
    expect(secondsBetween(1_000, 3_000)).toEqual([1_000, 2_000]);
    expect(secondsBetween(1_001, 3_001)).toEqual([2_000, 3_000]);
    expect(secondsBetween(3_000, 1_000)).toEqual([]);
  });
});

describe('worker-kill', () => {
  const hit = new Set([A]);
  const fair = [start(A, DUE + 5), start(B, DUE + 5, 1, 8), start(A, DUE + 900, 2, 8)];

  it('wants what was hit to start once more, elsewhere, and nothing else', () => {
    expect(judgeStarts([A, B], fair, hit, DUE, 7)).toEqual([]);
    expect(judgeStarts([A, B], fair.slice(0, 2), hit, DUE, 7)).toEqual([`${A} started 1 times instead of 2`]);
    const twice = [...fair, start(B, DUE + 950, 2, 8)];
    expect(judgeStarts([A, B], twice, hit, DUE, 7)).toEqual([`${B} started 2 times instead of 1`]);
  });

  it('notices an early start, a repeated attempt and a worker that is not dead', () => {
    const early = [start(A, DUE - 1), ...fair.slice(1)];
    expect(judgeStarts([A, B], early, hit, DUE, 7)).toEqual([`${A} started early`]);
    const repeated = [...fair.slice(0, 2), start(A, DUE + 900, 1, 8)];
    expect(judgeStarts([A, B], repeated, hit, DUE, 7)).toEqual([`started twice: ${A}, attempt 1`]);
    const undead = [...fair.slice(0, 2), start(A, DUE + 900, 2, 7)];
    expect(judgeStarts([A, B], undead, hit, DUE, 7)).toEqual([
      `${A} started again on the worker that was killed`,
    ]);
  });
});

describe('leader-kill', () => {
  const crashed = { recordOf: () => ({ ...emptyRecord('succeeded', null, DUE), crashes: 1 }) };
  const whole = { recordOf: () => ({ ...emptyRecord('succeeded', null, DUE), crashes: 0 }) };
  const RUN = 'job-00007/2026-01-01T00:00:10.000Z';
  const kill = (atMs: number): { killedMs: number; killed: string } => ({ killedMs: atMs, killed: 'w-2' });

  function noted(latenessMs: number, attempt = 1): StartNote {
    return { job: 7, dueMs: DUE, attempt, latenessMs };
  }

  it('tells firings before the kill, after it, and those that the dead had claimed', () => {
    expect(compareStarts([RUN], [noted(40)], whole, kill(DUE + 1))).toMatchObject({ before: [40] });
    expect(compareStarts([RUN], [noted(40)], whole, kill(DUE))).toMatchObject({ after: [40] });
    const again = [noted(900, 2), noted(40)];
    const found = compareStarts([RUN], again, crashed, kill(DUE + 1));
    expect(found).toEqual({ before: [], after: [], claimed: [40], problems: [] });
  });

  it('takes what the dead had not written down from the record, if it was the dead one that ran it', () => {
    const record = { ...emptyRecord('succeeded', null, DUE), worker: 'w-2', startedAt: DUE + 3 };
    const found = compareStarts([RUN], [], { recordOf: () => record }, kill(DUE + 1));
    expect(found).toMatchObject({ before: [3], problems: [] });
    const living = { recordOf: () => ({ ...record, worker: 'w-1' }) };
    expect(compareStarts([RUN], [], living, kill(DUE + 1)).problems).toEqual([
      `${RUN} started 0 times, 0 workers of it died`,
    ]);
  });

  it('notices what never started, and what started once too often', () => {
    expect(compareStarts([RUN], [], whole, kill(DUE)).problems).toHaveLength(1);
    const twice = [noted(1), noted(900, 2)];
    expect(compareStarts([RUN], twice, whole, kill(DUE)).problems).toHaveLength(1);
    expect(compareStarts([RUN], twice, crashed, kill(DUE)).problems).toEqual([]);
  });
});

describe('memory', () => {
  const sample = (minute: number, value: number): MemorySample => ({
    ...{ minute, heapMiB: value, largestHeapMiB: 0, externalMiB: 0, workersMiB: 300 - value },
    ...{ watchdogsMiB: 0, databaseMiB: 0, records: 0, firings: 0, locks: 0, overdue: 0 },
    ...{ latenessP50Ms: 0, latenessMaxMs: 0 },
  });

  it('compares what follows the warm-up', () => {
    const samples = [sample(1, 500), sample(2, 10), sample(3, 80), sample(4, 81), sample(5, 82)];
    const figures = compareSamples(samples);
    expect(figures).toMatchObject({ heapMiBBefore: 80, heapMiBAfter: 82, workersMiBAfter: 218 });
    expect(figures.heapMiBPerHour).toBeCloseTo(60);
    expect(figures.workersMiBPerHour).toBeCloseTo(-60);
  });

  it('has no figures of too short a time', () => {
    expect(compareSamples([sample(1, 1), sample(2, 2), sample(3, 3)])).toEqual({});
  });
});
