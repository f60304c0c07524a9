/** Sizes as people write them: `64KiB`, `32MiB`, `1GiB`, `2TiB`. A whole number and its unit, no more. */
const UNITS = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
] as const;

const SIZE = /^\s*(\d{1,9})\s?([KMGT]iB)\s*$/;

/** For messages about a text that `parseSize` did not understand. */
export const SIZE_HELP = 'write a size as a whole number with the unit KiB, MiB, GiB or TiB, such as 64MiB';

/** In bytes; null when the text is none, or more than an integer can hold exactly. */
export function parseSize(text: string): number | null {
  const [, count, unit] = SIZE.exec(text) ?? [];
  const unitBytes = UNITS.find(([name]) => name === unit)?.[1];
  if (count === undefined || unitBytes === undefined) return null;
  const bytes = Number(count) * unitBytes;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** For people, to three digits: `999 B`, `1.5 KiB`, `32 MiB`. */
export function formatSize(bytes: number): string {
  const [unit, unitBytes] = UNITS.find(([, size]) => Math.abs(bytes) >= size) ?? ['B', 1];
  const count = bytes / unitBytes;
  const digits = unitBytes === 1 || Math.abs(count) >= 100 ? 0 : 1;
  return `${count.toFixed(digits).replace(/\.0$/, '')} ${unit}`;
}
