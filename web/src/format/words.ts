/** Numbers and the words of the field, as a person reads them. */

const NUMBER = new Intl.NumberFormat('en-GB');

export function countText(count: number): string {
  return NUMBER.format(count);
}

/** `1 job`, `12 jobs`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** `812 B`, `14 kB`, `1.2 GB`; null where it is not known. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
