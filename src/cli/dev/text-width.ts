/** Fitting text into columns of a terminal, whatever characters it consists of. */
import { stripVTControlCharacters } from 'node:util';
import { printable } from '../../jobs/index.js';

/** Characters that take two columns (Unicode Standard Annex 11, wide and fullwidth, by script) and emoji. */
const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Script=Yi}|[\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}|\ufe0f/u;
const INVISIBLE = /^[\p{Mark}\p{Cf}]+$/u;
const ASCII = /^[\x20-\x7e]*$/;
const segmenter = new Intl.Segmenter();

/** How many columns `text`, free of control characters, takes. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmenter.segment(text)) width += segmentWidth(segment);
  return width;
}

/** `text` cut at its end, with an ellipsis, to at most `width` columns. */
export function cutEnd(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  return width < 1 ? '' : `${take(segmentsOf(text), width - 1)}…`;
}

/** `text` cut in its middle: names often differ at their ends. */
export function cutMiddle(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  if (width < 1) return '';
  const segments = segmentsOf(text);
  const tail = take(segments.toReversed(), Math.floor((width - 1) / 2));
  const head = take(segments, width - 1 - displayWidth(tail));
  return `${head}…${segmentsOf(tail).toReversed().join('')}`;
}

/** `text` filled with spaces to `width` columns. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const fill = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'left' ? text + fill : fill + text;
}

/** Foreign text on one line, without anything that a terminal would obey. */
export function harmless(text: string): string {
  return printable(stripVTControlCharacters(text).replaceAll('\t', ' ')).trim();
}

function segmentsOf(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** As many segments from the start as fit, in their order. */
function take(segments: readonly string[], width: number): string {
  let taken = '';
  let left = width;
  for (const segment of segments) {
    left -= segmentWidth(segment);
    if (left < 0) break;
    taken += segment;
  }
  return taken;
}

function segmentWidth(segment: string): number {
  if (INVISIBLE.test(segment)) return 0;
  return WIDE.test(segment) ? 2 : 1;
}
