import { describe, expect, it } from 'vitest';
import { faultsOf, numberOf, parseNotes } from '../../bench/notes.js';
import { judgeNotes } from '../../bench/stretch.js';

const DUE = Date.parse('2026-01-01T00:00:10.000Z');

function bytesOf(...numbers: number[]): Uint8Array {
  return new Uint8Array(new Float64Array(numbers).buffer);
}

describe('notes of handlers', () => {
  it('are read with the marks among them, and without a record that is not complete', () => {
    const bytes = bytesOf(7, DUE, 1, 0.25, NaN, 0, 0, 0, 8, DUE, 2, 30, 9);
    expect(parseNotes(bytes)).toEqual({
      notes: [
        { job: 7, dueMs: DUE, attempt: 1, latenessMs: 0.25 },
        { job: 8, dueMs: DUE, attempt: 2, latenessMs: 30 },
      ],
      marks: 1,
    });
    expect(parseNotes(bytes.subarray(0, bytes.length - 3)).notes).toHaveLength(2);
    expect(parseNotes(new Uint8Array())).toEqual({ notes: [], marks: 0 });
  });

  it('name jobs by the number at the end', () => {
    expect(numberOf('job-00042')).toBe(42);
    expect(numberOf('no-number-7x')).toBe(NaN);
  });

  it('show an attempt that started twice, and one that started early', () => {
    const note = { job: 7, dueMs: DUE, attempt: 1, latenessMs: 1 };
    expect(faultsOf([note, { ...note, attempt: 2 }, { ...note, job: 8 }])).toEqual([]);
    expect(faultsOf([note, { ...note, latenessMs: 5 }])).toEqual([
      'started twice: job 7, 2026-01-01T00:00:10.000Z, attempt 1',
    ]);
    expect(faultsOf([{ ...note, latenessMs: -0.9 }])).toEqual([]);
    expect(faultsOf([{ ...note, latenessMs: -2 }])).toEqual([
      'started early: job 7, 2026-01-01T00:00:10.000Z, attempt 1 (2.0 ms)',
    ]);
  });

  it('are taken of the firings that are measured, and missed when one is recorded without', () => {
    const note = { job: 7, dueMs: DUE, attempt: 1, latenessMs: 3 };
    const others = [
      { ...note, job: 8 },
      { ...note, dueMs: DUE + 1_000 },
    ];
    const found = judgeNotes(1, ['job-00007'], [DUE], [note, ...others]);
    expect(found).toEqual({ latenessMs: [3], problems: [] });
    expect(judgeNotes(1, ['job-00007'], [DUE], others).problems).toEqual([
      '1 firings are recorded, and 0 were started',
    ]);
  });
});
