import { describe, expect, it } from 'vitest';
import { formatSize, parseSize } from '../src/size.js';

describe('sizes', () => {
  it.each([
    ['64KiB', 65_536],
    ['32MiB', 33_554_432],
    [' 1 GiB ', 2 ** 30],
    ['2TiB', 2 ** 41],
    ['0MiB', 0],
  ])('%j is %d bytes', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  it.each(['', '5', '5MB', '5 mib', '-1MiB', '1.5GiB', 'MiB', '999999999TiB', '1MiB 2KiB'])(
    '%j is no size',
    (text) => expect(parseSize(text)).toBeNull(),
  );

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_536, '1.5 KiB'],
    [2 ** 25, '32 MiB'],
    [2 ** 30 - 1, '1024 MiB'],
    [5 * 2 ** 40, '5 TiB'],
  ])('%d bytes are written %j', (bytes, text) => expect(formatSize(bytes)).toBe(text));
});
