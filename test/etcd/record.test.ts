import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { leaderRecordSchema } from '../../src/election/leader-record.js';
import { workerRecordSchema } from '../../src/election/worker-record.js';
import { lockRecordSchema } from '../../src/claim/lock-record.js';
import { decodeRecord, encodeRecord, isoTime } from '../../src/etcd/record.js';
import { runRecordSchema } from '../../src/history/run-record.js';
import { cursorRecordSchema } from '../../src/view/cursor-record.js';
import { decodeFiring, encodeFiring, firingRecordSchema } from '../../src/view/firing-record.js';
import { killRecordSchema } from '../../src/view/kill-record.js';

const SCHEMAS: readonly [string, z.ZodType][] = [
  ['leader', leaderRecordSchema],
  ['worker', workerRecordSchema],
  ['lock', lockRecordSchema],
  ['run', runRecordSchema],
  ['cursor', cursorRecordSchema],
  ['firing', firingRecordSchema],
  ['kill', killRecordSchema],
];

const AT = '2026-01-01T00:00:00.000Z';
const ENDING = { exitCode: 0, signal: null, endedAt: AT, durationMs: 5 };
const OUTPUT = { text: 'x', truncated: false, totalBytes: 1 };
const EXAMPLES: readonly [string, z.ZodType, object][] = [
  ['leader', leaderRecordSchema, { nodeId: 'n', name: 'n', since: AT }],
  [
    'worker',
    workerRecordSchema,
    {
      ...{ name: 'w', host: 'h', pid: 1, version: '0', state: 'active', capacity: 1, labels: { a: 'b' } },
      ...{ startedAt: AT, clock: AT, skewed: false, api: null },
    },
  ],
  ['lock', lockRecordSchema, { node: 'n', worker: 'w', attempt: 1, claimedAt: AT }],
  [
    'run',
    runRecordSchema,
    {
      ...{
        outcome: 'lost',
        reason: 'r',
        attempts: 1,
        crashes: 1,
        worker: 'w',
        nodeId: 'n',
        fencingToken: '1',
      },
      ...{
        ...ENDING,
        startedAt: AT,
        latenessMs: 1,
        stdout: OUTPUT,
        stderr: OUTPUT,
        manual: true,
        recordedAt: AT,
      },
      ...{
        missed: { from: AT, through: AT, count: 1, atLeast: true },
        late: { outcome: 'failed', ...ENDING },
      },
    },
  ],
  ['cursor', cursorRecordSchema, { plannedThrough: { due: AT, job: 'j' }, jobsRevision: 7, at: AT }],
  [
    'firing',
    firingRecordSchema,
    {
      ...{ origin: 'manual', fingerprint: 'f', attempt: 1, crashes: 1, notBefore: AT, node: 'n', slot: 0 },
      ...{ misfire: true, requestedBy: 'me' },
    },
  ],
  ['kill', killRecordSchema, { by: 'b', reason: 'r', at: AT }],
];

/** What comes of a value that goes to etcd and back. */
function readBack(schema: z.ZodType, value: unknown): unknown {
  return decodeRecord(schema, { value: Buffer.from(encodeRecord(schema, value)) });
}

describe('decodeRecord', () => {
  it.each(SCHEMAS)('never throws on any bytes or any JSON (%s)', (_, schema) => {
    const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
    const json = fc.json().map((text) => Buffer.from(text));
    const shape = Object.keys((schema as z.ZodObject).shape);
    const nearly = fc
      .dictionary(
        fc.constantFrom(...shape),
        fc.oneof(
          fc.jsonValue(),
          fc.date().map((d) => String(d)),
        ),
      )
      .map((value) => Buffer.from(JSON.stringify(value)));
    fc.assert(
      fc.property(fc.oneof(bytes, json, nearly), (value) => {
        const decoded = decodeRecord(schema, { value });
        if (decoded.ok) expect(readBack(schema, decoded.value)).toEqual(decoded);
        else expect(decoded.problem).not.toMatch(/\n/);
      }),
      { numRuns: 200 },
    );
  });

  it.each(EXAMPLES)('reads back whatever it makes of a damaged one (%s)', (_, schema, example) => {
    const field = fc.constantFrom(...Object.keys(example));
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(
        1e308,
        -0,
        2 ** 53,
        '275761-01-01T00:00:00.000Z',
        '9999-12-31T23:59:59.999Z',
        '\ud800',
      ),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    );
    let good = 0;
    fc.assert(
      fc.property(field, value, fc.boolean(), (name, instead, leaveOut) => {
        const damaged: Record<string, unknown> = { ...example, [name]: instead };
        if (leaveOut) delete damaged[name];
        const decoded = decodeRecord(schema, { value: Buffer.from(JSON.stringify(damaged)) });
        if (decoded.ok) {
          good += 1;
          expect(readBack(schema, decoded.value)).toEqual(decoded);
        } else expect(decoded.problem).toMatch(/^\P{Cc}{1,500}$/u);
      }),
      { numRuns: 300 },
    );
    expect(good).toBeGreaterThan(0);
  });

  it('reads back a firing, whose defaults are left out', () => {
    const count = fc.nat(1_000_000);
    const firing = fc.record({
      origin: fc.constantFrom('schedule' as const, 'manual' as const),
      fingerprint: fc.string(),
      ...{ attempt: count, crashes: count, slot: fc.option(count), misfire: fc.boolean() },
      notBefore: fc.option(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) })),
      ...{ node: fc.option(fc.string()), requestedBy: fc.option(fc.string({ unit: 'binary' })) },
      rerunOf: fc.option(fc.string()),
      ...{ lastWorker: fc.option(fc.string()), expanded: fc.option(count), waiting: fc.boolean() },
      limitSlots: fc.option(fc.dictionary(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,9}$/), count)),
      only: fc.option(fc.record({ worker: fc.string(), index: count, count: fc.constant(3) })),
    });
    fc.assert(
      fc.property(firing, (value) => {
        expect(decodeFiring({ value: Buffer.from(encodeFiring(value)) })).toEqual({ ok: true, value });
      }),
    );
  });

  it('says where and what', () => {
    const schema = z.object({ at: isoTime });
    const problem = (text: string): unknown => decodeRecord(schema, { value: Buffer.from(text) });
    expect(problem('nonsense')).toEqual({ ok: false, problem: 'not JSON' });
    expect(problem('{"at": "yesterday"}')).toMatchObject({ ok: false, problem: /^at: / });
    expect(problem('{"at": "2026-13-01T00:00:00.000Z"}')).toMatchObject({ ok: false });
    expect(problem(`{"at": "${'x'.repeat(2 ** 20)}"}`)).toMatchObject({ problem: /bytes are too many/ });
  });

  it('keeps times to the ms', () => {
    const schema = z.object({ at: isoTime });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }), (at) => {
        const value = Buffer.from(encodeRecord(schema, { at }));
        expect(decodeRecord(schema, { value })).toEqual({ ok: true, value: { at } });
      }),
    );
  });
});
