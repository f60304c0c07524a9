import { expect, test } from 'vitest';
import { cutEnd, cutMiddle, displayWidth, harmless, pad } from '../../../src/cli/dev/text-width.js';

test.each([
  ['', 0],
  ['abc', 3],
  ['é', 1],
  ['e\u0301', 1],
  ['日本語', 6],
  ['한글', 4],
  ['ｆｕｌｌ', 8],
  ['🚀', 2],
  ['👨‍👩‍👧', 2],
  ['✓ ok', 4],
  ['a\u200bb', 2],
])('%j takes %i columns', (text, width) => {
  expect(displayWidth(text)).toBe(width);
});

test('the end is cut to the width, never within a character', () => {
  expect(cutEnd('abcdef', 6)).toBe('abcdef');
  expect(cutEnd('abcdef', 5)).toBe('abcd…');
  expect(cutEnd('日本語', 5)).toBe('日本…');
  expect(cutEnd('日本語', 4)).toBe('日…');
  expect(cutEnd('👨‍👩‍👧👨‍👩‍👧', 3)).toBe('👨‍👩‍👧…');
  expect(cutEnd('abc', 1)).toBe('…');
  expect(cutEnd('abc', 0)).toBe('');
});

test('a long name keeps both its ends', () => {
  expect(cutMiddle('database-backup-eu', 18)).toBe('database-backup-eu');
  expect(cutMiddle('database-backup-eu', 9)).toBe('data…p-eu');
  expect(cutMiddle('database-backup-eu', 10)).toBe('datab…p-eu');
  expect(cutMiddle('日本語日本語', 6)).toBe('日…語');
  expect(cutMiddle('abc', 0)).toBe('');
});

test('padding counts columns, not characters', () => {
  expect(pad('日本', 6)).toBe('日本  ');
  expect(pad('ab', 4, 'right')).toBe('  ab');
  expect(pad('abcdef', 4)).toBe('abcdef');
});

test('nothing that a terminal would obey gets through', () => {
  expect(harmless('\u001b[31mred\u001b[0m\tand \u0007bell ')).toBe('red and \\u0007bell');
});
