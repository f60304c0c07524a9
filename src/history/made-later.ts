/**
 * The suffix of runs that are made for a due time of long ago: `backfill-20261121T223000Z-1a2b` for those of one backfill,
 * `rerun-…` for one that repeats another. It says when they were asked for: their records are as old as that, not as their due
 * time.
 */
const PATTERN = /^(?:backfill|rerun)-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{4}(?:\.|$)/;

/** `random` is four hex digits, so that two that begin in the same second are kept apart. */
export function backfillSuffix(nowMs: number, random: string): string {
  return `backfill-${compactTime(nowMs)}-${random}`;
}

export function rerunSuffix(nowMs: number, random: string): string {
  return `rerun-${compactTime(nowMs)}-${random}`;
}

function compactTime(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

/** When it was asked for, in ms since the epoch; null for any other suffix. */
export function madeLaterAt(suffix: string | null): number | null {
  const parts = PATTERN.exec(suffix ?? '');
  if (!parts) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number);
  const ms = Date.UTC(year!, month! - 1, day, hour, minute, second);
  return Number.isNaN(ms) ? null : ms;
}
