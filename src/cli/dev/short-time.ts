/** Times and lengths as short as a table wants them. */

const DAY_MS = 86_400_000;

/** `16:00:05`, in the time zone of the terminal. */
export function clockTime(atMs: number): string {
  const at = new Date(atMs);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(':');
}

/** Like `clockTime`, or the day (`11-20`) for a due time that is further from `nowMs` than the clock goes round. */
export function dueTime(dueMs: number, nowMs: number): string {
  if (Math.abs(nowMs - dueMs) < DAY_MS) return clockTime(dueMs);
  const due = new Date(dueMs);
  return `${twoDigits(due.getMonth() + 1)}-${twoDigits(due.getDate())}`;
}

/** At most six characters for lengths ≥ 0 below 100 days: `12ms`, `1.2s`, `2m04s`, `1h02m`, `3d04h`. */
export function briefDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1).replace('.0', '')}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m${twoDigits(seconds % 60)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1_440) return `${Math.floor(minutes / 60)}h${twoDigits(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d${twoDigits(hours % 24)}h`;
}

function twoDigits(part: number): string {
  return String(part).padStart(2, '0');
}
