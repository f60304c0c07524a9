import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { leaderRecordSchema } from '../../src/election/leader-record.js';
import { workerRecordSchema } from '../../src/election/worker-record.js';
import { lockRecordSchema } from '../../src/claim/lock-record.js';
import { decodeRecord, encodeRecord, isoTime } from '../../src/etcd/record.js';
import { runRecordSchema } from '../../src/history/run-record.js';
import { cursorRecordSchema } from '../../src/view/cursor-record.js';
import { firingRecordSchema } from '../../src/view/firing-record.js';
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
        if (decoded.ok) encodeRecord(schema, decoded.value);
        else expect(decoded.problem).not.toMatch(/\n/);
      }),
      { numRuns: 200 },
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
