import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OUTPUT_TAIL_BYTES, OutputCollector } from '../../src/run/output-tail.js';

function tailOf(capacity: number, ...chunks: (string | Uint8Array)[]) {
  const collector = new OutputCollector(capacity);
  for (const chunk of chunks) collector.write(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return collector.tail();
}

describe('OutputCollector', () => {
  it('keeps everything up to its capacity', () => {
    expect(tailOf(8)).toEqual({ text: '', truncated: false, totalBytes: 0 });
    expect(tailOf(8, 'abc', '', 'defgh')).toEqual({ text: 'abcdefgh', truncated: false, totalBytes: 8 });
  });

  it('keeps the last bytes from the first one over', () => {
    expect(tailOf(8, 'abcdefgh', 'i')).toEqual({ text: 'bcdefghi', truncated: true, totalBytes: 9 });
    expect(tailOf(8, 'x'.repeat(100) + 'abcdefgh')).toEqual({
      text: 'abcdefgh',
      truncated: true,
      totalBytes: 108,
    });
  });

  it.each(['é', '€', '😀'])('never cuts within %s', (character) => {
    const size = Buffer.byteLength(character);
    for (let extra = 1; extra <= size; extra++) {
      const { text, truncated } = tailOf(16, character, 'x'.repeat(16 - size + extra));
      expect(text).toBe('x'.repeat(16 - size + extra));
      expect(truncated).toBe(true);
    }
    expect(tailOf(16, 'y', character, 'x'.repeat(16 - size)).text).toBe(character + 'x'.repeat(16 - size));
  });

  it('joins a character that arrives in pieces', () => {
    const bytes = Buffer.from('a😀b');
    expect(tailOf(16, ...Array.from(bytes, (byte) => Uint8Array.of(byte))).text).toBe('a😀b');
  });

  it('shows what is no text as U+FFFD, and keeps line breaks, tabs, colours and a BOM', () => {
    const { text } = tailOf(64, Uint8Array.of(0x61, 0xff, 0x00, 0x07, 0x7f, 0xc3), '\t\r\n\u001b[1m\uFEFF');
    expect(text).toBe('a\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\t\r\n\u001b[1m\uFEFF');
  });

  it('does not exceed its capacity in UTF-8 either when invalid bytes become longer', () => {
    const { text, truncated } = tailOf(10, Buffer.alloc(10, 0xff));
    expect(text).toBe('\uFFFD'.repeat(3));
    expect(truncated).toBe(true);
  });

  it('agrees with cutting the whole output at once, whatever the chunks', () => {
    const texts = fc.array(fc.string({ unit: 'grapheme', maxLength: 12 }), { maxLength: 12 });
    fc.assert(
      fc.property(texts, fc.integer({ min: 4, max: 40 }), (chunks, capacity) => {
        const { text, totalBytes, truncated } = tailOf(capacity, ...chunks);
        // eslint-disable-next-line no-control-regex -- the rule under test
        const whole = chunks.join('').replace(/[\0-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f]/g, '\uFFFD');
        expect(totalBytes).toBe(Buffer.byteLength(chunks.join('')));
        expect(whole.endsWith(text)).toBe(true);
        expect(truncated).toBe(text !== whole);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(capacity);
        if (truncated && !whole.includes('\uFFFD'))
          expect(Buffer.byteLength(text)).toBeGreaterThan(capacity - 4);
      }),
    );
  });

  it('keeps 16 KiB by default', () => {
    const collector = new OutputCollector();
    for (let i = 0; i < 100; i++) collector.write(Buffer.alloc(1000, 0x61 + (i % 26)));
    const { text, totalBytes } = collector.tail();
    expect([text.length, totalBytes]).toEqual([OUTPUT_TAIL_BYTES, 100_000]);
    expect(OUTPUT_TAIL_BYTES).toBe(16_384);
  });
});
