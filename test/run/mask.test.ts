import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Mask } from '../../src/run/mask.js';
import { OUTPUT_TAIL_BYTES } from '../../src/run/output-tail.js';

/** What is left of `text` when it comes in pieces that end at `cuts`. */
function inPieces(secrets: readonly string[], text: string, cuts: readonly number[] = []): string {
  const output = new Mask(secrets).output();
  const bytes = Buffer.from(text);
  const ends = [...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length].sort((a, b) => a - b);
  let from = 0;
  for (const end of ends) {
    output.write(bytes.subarray(from, end));
    from = end;
  }
  expect(output.tail().totalBytes).toBe(bytes.length);
  return output.tail().text;
}

/** The same by looking at every place of the whole text. */
function expected(secrets: readonly string[], text: string): string {
  const hidden = new Set<number>();
  for (const secret of secrets) {
    for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1)) {
      for (let index = at; index < at + secret.length; index++) hidden.add(index);
    }
  }
  return Array.from(text, (letter, index) =>
    !hidden.has(index) ? letter : hidden.has(index - 1) ? '' : '***',
  ).join('');
}

describe('a mask', () => {
  it.each([
    [['hunter22'], 'the password is hunter22!', 'the password is ***!'],
    [['abcd', 'abcdefgh'], 'abcdefgh abcdxx', '*** ***xx'],
    [['xxab', 'abcd'], 'xxabcd', '***'],
    [['aaaa'], 'aaaaaaaaa b', '*** b'],
    [['pässwörd'], 'ein pässwörd!', 'ein ***!'],
    [['line one\nline two\nab'], 'got line two, ab\n', 'got ***, ab\n'],
    [['line one\nline two'], 'line one\nline two', '***'],
    [['a b/c+d'], 'GET /?q=a%20b%2Fc%2Bd', 'GET /?q=***'],
    [['say "hi"'], '{"text":"say \\"hi\\""}', '{"text":"***"}'],
    [['abc'], 'abc', 'abc'],
    [[], 'anything', 'anything'],
  ])('of %j makes of %j %j', (secrets, text, masked) => {
    expect(new Mask(secrets).text(text)).toBe(masked);
    expect(inPieces(secrets, text)).toBe(masked);
    const everywhere = Array.from({ length: Buffer.byteLength(text) }, (_, index) => index);
    expect(inPieces(secrets, text, everywhere)).toBe(masked);
  });

  it('hides the same wherever the output is cut', () => {
    const letters = (minLength: number, maxLength: number) =>
      fc.string({ unit: fc.constantFrom('a', 'b'), minLength, maxLength });
    fc.assert(
      fc.property(
        fc.array(letters(4, 7), { minLength: 1, maxLength: 3 }),
        letters(0, 40),
        fc.array(fc.nat(40)),
        (secrets, text, cuts) => {
          expect(inPieces(secrets, text, cuts)).toBe(expected(secrets, text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('leaves nothing of a secret at the cut edge of what is kept', () => {
    const secret = 'correct horse battery staple';
    for (let after = OUTPUT_TAIL_BYTES - 40; after <= OUTPUT_TAIL_BYTES; after += 1) {
      const kept = inPieces([secret], `${secret}${'.'.repeat(after)}`, [3, 17]);
      expect(kept).toMatch(/^\**\.+$/);
    }
  });

  it('keeps up with a lot of output', () => {
    const output = new Mask(['hunter22', 'a'.repeat(300)]).output();
    const chunk = Buffer.alloc(64 * 1024, 'a');
    for (let count = 0; count < 5; count++) output.write(chunk);
    expect(output.tail()).toMatchObject({ text: '***', truncated: false, totalBytes: 5 * 64 * 1024 });
  });
});
