/**
 * Durations as people write them: `90s`, `1h30m`, `2d`, `250ms`. A duration is a row of whole numbers, each with its
 * unit, from the largest unit to the smallest, each unit at most once. Days and weeks are 24 and 168 hours.
 */
const UNITS = [
  ['w', 604_800_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const;

const DURATION = /^(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;

/** For JSON Schema: what `parseDuration` understands, but for lengths beyond all bounds. */
export const DURATION_PATTERN = `^\\s*(?=\\d)${DURATION.source.slice(1, -1)}\\s*$`;

/** For messages about a text that `parseDuration` did not understand. */
export const DURATION_HELP =
  'write a duration as whole numbers with units w, d, h, m, s or ms, such as 90s or 1h30m';

/**
 * The length in ms of a duration such as `1h30m`, or null when the text is none: no unit, a unit unknown, repeated
 * or out of order, a fraction, a sign, a space between, or more ms than an integer can hold exactly.
 */
export function parseDuration(text: string): number | null {
  const groups = DURATION.exec(text.trim());
  if (groups === null || groups[0] === '') return null;
  let totalMs = 0;
  UNITS.forEach(([, unitMs], index) => {
    totalMs += Number(groups[index + 1] ?? 0) * unitMs;
  });
  return Number.isSafeInteger(totalMs) ? totalMs : null;
}

/**
 * A length in ms in the same notation, to the nearest ms: `5400000` → `1h30m`, `0` → `0s`, `-500` → `-500ms`. Days are
 * the largest unit used (`14d`, not `2w`). For whole ms ≥ 0, `parseDuration` reads back what this writes.
 */
export function formatDuration(ms: number): string {
  let restMs = Math.round(Math.abs(ms));
  if (restMs === 0) return '0s';
  let text = ms < 0 ? '-' : '';
  for (const [unit, unitMs] of UNITS.slice(1)) {
    const count = Math.floor(restMs / unitMs);
    restMs -= count * unitMs;
    if (count > 0) text += `${count}${unit}`;
  }
  return text;
}
