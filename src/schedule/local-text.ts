import type { ZoneTimeline } from './zone-timeline.js';

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** A nominal clock reading (seconds since a nominal 1970-01-01 00:00:00) as `2026-03-08 02:30:00`. */
export function formatNominal(nominalSec: number): string {
  return new Date(nominalSec * 1000).toISOString().slice(0, 19).replace('T', ' ');
}

/**
 * An instant (ms since the Unix epoch, years 1970 to 9999) on a zone's clock, as `Sun 2026-03-08 03:00:00 -04:00`; the
 * offset tells the two passes of a repeated hour apart.
 */
export function formatLocal(ms: number, zone: ZoneTimeline): string {
  const sec = Math.floor(ms / 1000);
  const { offsetSec } = zone.segmentAt(sec);
  const nominalSec = sec + offsetSec;
  const offsetMinutes = Math.round(Math.abs(offsetSec) / 60);
  const hours = String(Math.floor(offsetMinutes / 60)).padStart(2, '0');
  const minutes = String(offsetMinutes % 60).padStart(2, '0');
  const weekday = WEEKDAYS[new Date(nominalSec * 1000).getUTCDay()]!;
  return `${weekday} ${formatNominal(nominalSec)} ${offsetSec < 0 ? '-' : '+'}${hours}:${minutes}`;
}
