/**
 * The suffix of the runs of one backfill: `backfill-20261121T223000Z-1a2b`. It says when the backfill was begun, because a
 * run of it carries a due time of long ago: its record is as old as the backfill, not as its due time.
 */
const PATTERN = /^backfill-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{4}(?:\.|$)/;

/** `random` is four hex digits, so that two that begin in the same second are kept apart. */
export function backfillSuffix(nowMs: number, random: string): string {
  const time = new Date(nowMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
  return `backfill-${time}-${random}`;
}

/** When the backfill was begun, in ms since the epoch; null for any other suffix. */
export function backfillTime(suffix: string | null): number | null {
  const parts = PATTERN.exec(suffix ?? '');
  if (!parts) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1).map(Number);
  const ms = Date.UTC(year!, month! - 1, day, hour, minute, second);
  return Number.isNaN(ms) ? null : ms;
}
