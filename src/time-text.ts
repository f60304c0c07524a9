/** Times and lengths of time as people read them in a table. */
import { formatDuration } from './duration.js';

/** `2026-11-21 14:00:00Z`, with milliseconds where there are any. */
export function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('.000Z', 'Z');
}

/** `in 5m`, `3s ago`, `now`: whole seconds, two units at most. */
export function relativeText(ms: number, nowMs: number): string {
  const distanceMs = Math.floor(Math.abs(ms - nowMs) / 1_000) * 1_000;
  if (distanceMs === 0) return 'now';
  return ms > nowMs ? `in ${shortDuration(distanceMs)}` : `${shortDuration(distanceMs)} ago`;
}

/** `1d2h`, `3m20s`, `1s250ms`, `12ms`: the two largest units. */
export function shortDuration(ms: number): string {
  const parts = formatDuration(ms).match(/\d+[a-z]+/g) ?? ['0s'];
  const shown = ms >= 10_000 ? parts.filter((part) => !part.endsWith('ms')) : parts;
  return `${ms < 0 ? '-' : ''}${shown.slice(0, 2).join('')}`;
}

/** For JSON: ISO text, or null. */
export function isoOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
