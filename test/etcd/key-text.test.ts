import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeKey, encodeKey } from '../../src/etcd/key-text.js';
import { parseRunId } from '../../src/etcd/keys.js';

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  // Beginnings and ends of sequences of all lengths, surrogates in UTF-8, and the replacement character itself.
  fc
    .array(
      fc.constantFrom(
        ...[[0x41], [0xc3], [0xa9], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xef, 0xbf, 0xbd], [0xf0, 0x9f]],
        ...[[0x98, 0x80], [0xff], [0xfe], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x00]],
      ),
      { maxLength: 12 },
    )
    .map((parts) => Uint8Array.from(parts.flat())),
);

describe('keys that are no text', () => {
  it('go to text and back, byte by byte, and no two become the same', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const [one, other] = [Buffer.from(a), Buffer.from(b)];
        expect(encodeKey(decodeKey(one))).toEqual(one);
        expect(decodeKey(one) === decodeKey(other)).toBe(one.equals(other));
      }),
      { numRuns: 2_000 },
    );
  });

  it('leave text as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeKey(Buffer.from(text))).toBe(text);
        expect(encodeKey(text)).toEqual(Buffer.from(text));
      }),
    );
  });

  it('keep a page that ends in one before the next key', () => {
    const last = Buffer.from([0x2f, 0xff]);
    expect(Buffer.compare(encodeKey(`${decodeKey(last)}\0`), last)).toBe(1);
  });

  it('can be told from the run beside them', () => {
    const runId = 'job/2026-01-01T00:00:00.000Z';
    const damaged = decodeKey(Buffer.concat([Buffer.from(`${runId}+`), Buffer.from([0xff])]));
    expect(parseRunId(damaged)).toMatchObject({ job: 'job', suffix: '\udcff' });
    expect(parseRunId(decodeKey(Buffer.concat([Buffer.from(runId), Buffer.from([0xff])])))).toBeNull();
  });
});
