import { describe, expect, test } from 'vitest';
import { OutputText } from '../../web/src/pages/run/output-text.js';

function textOf(...parts: string[]): OutputText {
  const text = new OutputText();
  for (const part of parts) text.take('stdout', new TextEncoder().encode(part));
  return text;
}

describe('output as lines', () => {
  test('a line may come in parts, and what has no end yet is there', () => {
    const text = textOf('', 'first\nhalf', ' a li');
    expect(text.lines.map((line) => line.text)).toEqual(['first', 'half a li']);
    text.take('stderr', new TextEncoder().encode('other\n'));
    expect(text.lines.map(({ stream }) => stream)).toEqual(['stdout', 'stderr', 'stdout']);
    text.finish();
    expect(text.lines.map((line) => line.text)).toEqual(['first', 'other', 'half a li']);
  });

  test('characters may be cut anywhere', () => {
    const bytes = new TextEncoder().encode('größe 🚉\n');
    const text = new OutputText();
    for (const byte of bytes) text.take('stdout', Uint8Array.of(byte));
    expect(text.lines[0]!.text).toBe('größe 🚉');
  });

  test('colours become classes and words, never styles; text is escaped', () => {
    const [line] = textOf(
      '\u001b[1;31mred\u001b[0m <b onclick="x" style="y"> \u001b[38;5;46mgreen\u001b[0m\n',
    ).lines;
    expect(line!.html).not.toMatch(/ style="|<b/);
    expect(line!.html).toContain('ansi-red-fg');
    expect(line!.html).toContain('data-sgr="bold"');
    expect(line!.html).toContain('data-sgr="fg-green"');
    expect(line!.text).toBe('red <b onclick="x" style="y"> green');
  });

  test('a line that is drawn over is what was drawn last; other controls are dots; links keep their text', () => {
    const text = textOf('10 %\r50 %\r100 %\r\na\u0007b\n\u001b]8;;http://x\u0007link\u001b]8;;\u0007\n');
    expect(text.lines.map((line) => line.text)).toEqual(['100 %', 'a·b', 'link']);
  });

  test('only the end is kept, and lines without end are cut', () => {
    const text = textOf('x\n'.repeat(5_100), 'y'.repeat(10_000));
    expect(text.lines.length).toBeLessThanOrEqual(5_001);
    expect(text.dropped).toBeGreaterThanOrEqual(100);
    expect(Math.max(...text.lines.map((line) => line.text.length))).toBeLessThanOrEqual(4_000);
  });
});
