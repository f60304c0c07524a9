/** The short ways to read and write the records of which there are most must not differ from their schemas. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeLock, lockRecordSchema } from '../../src/claim/lock-record.js';
import { decodeRecord, encodeRecord } from '../../src/etcd/record.js';
import {
  decodeRun,
  emptyRecord,
  encodeRun,
  OUTCOMES,
  runRecordSchema,
} from '../../src/history/run-record.js';
import {
  decodeFiring,
  encodeFiring,
  firingRecordSchema,
  type FiringRecord,
} from '../../src/view/firing-record.js';

const time = fc.integer({ min: 0, max: 4_102_444_800_000 });
const count = fc.nat({ max: 1_000_000 });
const record: fc.Arbitrary<FiringRecord> = fc.record({
  origin: fc.constantFrom('schedule', 'manual'),
  ...{ fingerprint: fc.string(), attempt: count, crashes: count, notBefore: fc.option(time) },
  ...{ node: fc.option(fc.string()), slot: fc.option(count) },
  limitSlots: fc.option(
    fc.dictionary(
      fc.string().filter((name) => name !== '__proto__'),
      count,
    ),
  ),
  ...{ misfire: fc.boolean(), waiting: fc.boolean() },
  ...{ requestedBy: fc.option(fc.string()), lastWorker: fc.option(fc.string()) },
  rerunOf: fc.option(fc.string()),
  only: fc.option(fc.record({ worker: fc.string(), index: count, count: fc.integer({ min: 1, max: 99 }) })),
  expanded: fc.option(count),
});

/** Something that stands where a firing should. */
const anything = fc.oneof(
  fc.json(),
  fc
    .record(
      Object.fromEntries(
        Object.keys(firingRecordSchema.shape).map((name) => [
          name,
          fc.oneof(
            fc.constantFrom<unknown>('schedule', 'manual', '', null, true, -1, 0, 1.5, 1_000_001, [], {}),
            fc.constantFrom('2026-02-30T00:00:00.000Z', '2026-03-01T00:00:00.000Z', '2026-03-01T00:00:00Z'),
          ),
        ]),
      ),
      { requiredKeys: [] },
    )
    .map((json) => JSON.stringify(json)),
);

describe('a firing', () => {
  it('is read as its schema reads it', () => {
    fc.assert(
      fc.property(record, (firing) => {
        const value = Buffer.from(encodeRecord(firingRecordSchema, firing));
        expect(decodeFiring({ value })).toEqual({ ok: true, value: firing });
      }),
      { numRuns: 500 },
    );
  });

  it('comes back from what is written, which leaves out what has its default', () => {
    fc.assert(
      fc.property(record, (firing) => {
        const value = Buffer.from(encodeFiring(firing));
        expect(decodeRecord(firingRecordSchema, { value })).toEqual({ ok: true, value: firing });
        const written = JSON.parse(value.toString()) as Record<string, unknown>;
        expect(Object.values(written)).not.toContain(null);
        expect(Object.values(written)).not.toContain(false);
      }),
      { numRuns: 500 },
    );
  });

  it('is refused when its schema refuses it, in the same words', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const value = Buffer.from(text);
        expect(decodeFiring({ value })).toEqual(decodeRecord(firingRecordSchema, { value }));
      }),
      { numRuns: 3_000 },
    );
  });
});

describe('a lock and a run record', () => {
  it('are written as their schemas write them, a record without what has its default', () => {
    const lock = { node: 'n-1', worker: 'n', attempt: 3, claimedAt: 1_790_000_000_123 };
    expect(encodeLock(lock)).toBe(encodeRecord(lockRecordSchema, lock));
    const ended = { exitCode: 3, signal: null, endedAt: 1_790_000_000_456, durationMs: 12 };
    const output = { text: 'ä', truncated: true, totalBytes: 70_000 };
    fc.assert(
      fc.property(fc.constantFrom(...OUTCOMES), fc.boolean(), fc.boolean(), (outcome, isMissed, isLate) => {
        const run = {
          ...{ ...emptyRecord(outcome, 'because', 1_790_000_000_789), ...ended },
          ...{ startedAt: 1_790_000_000_001, stdout: output, latenessMs: 4, manual: true },
          missed: isMissed ? { from: 0, through: 60_000, count: 2, atLeast: false } : null,
          late: isLate ? { outcome, ...ended } : null,
        };
        const written = JSON.parse(encodeRun(run)) as Record<string, unknown>;
        expect(JSON.parse(encodeRecord(runRecordSchema, run))).toMatchObject(written);
        expect(Object.values(written)).not.toContain(null);
        expect(decodeRun({ value: Buffer.from(encodeRun(run)) })).toEqual({ ok: true, value: run });
      }),
    );
  });
});
