/** Moments as text, in the zone that the viewer chose. */
import { stored } from '../ui/stored.js';

export type ZoneChoice = 'local' | 'utc' | 'job';

/** `job`: the zone of the job where there is one, else the viewer's. */
export const zoneChoice = stored<ZoneChoice>('zone', 'local', (value) =>
  value === 'utc' || value === 'job' ? value : 'local',
);

const LOCAL_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The zone in which to show times of a job that has this one. */
export function shownZone(jobZone?: string | null): string {
  if (zoneChoice.value === 'utc') return 'UTC';
  if (zoneChoice.value === 'job' && jobZone) return jobZone;
  return LOCAL_ZONE;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (!found) {
    try {
      found = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone, hourCycle: 'h23' });
    } catch {
      // A zone that this browser does not know.
      found = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC', hourCycle: 'h23' });
    }
    formats.set(key, found);
  }
  return found;
}

/** `12:41:07` */
export function clockText(ms: number, zone: string): string {
  return format(zone, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(ms);
}

/** `12:41` */
export function minuteText(ms: number, zone: string): string {
  return format(zone, { hour: '2-digit', minute: '2-digit' }).format(ms);
}

/** `CET`, or `GMT+5:45` where a zone has no short name. */
export function zoneName(ms: number, zone: string): string {
  const parts = format(zone, { timeZoneName: 'short' }).formatToParts(ms);
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? zone;
}

/** `2026-11-22` */
export function dateText(ms: number, zone: string): string {
  const parts = format(zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(ms);
  const part = (type: string): string => parts.find((one) => one.type === type)?.value ?? '';
  return `${part('year')}-${part('month')}-${part('day')}`;
}

/** `Sun 22 Nov` */
export function dayText(ms: number, zone: string): string {
  return format(zone, { weekday: 'short', day: 'numeric', month: 'short' }).format(ms).replace(',', '');
}

/** The clock for today, else the day and the minute: `12:41:07`, `Sun 22 Nov 12:41`, `2025-11-22 12:41`. */
export function momentText(ms: number, zone: string, nowMs: number): string {
  if (dateText(ms, zone) === dateText(nowMs, zone)) return clockText(ms, zone);
  const near = Math.abs(ms - nowMs) < 300 * 86_400_000;
  return `${near ? dayText(ms, zone) : dateText(ms, zone)} ${minuteText(ms, zone)}`;
}

/** All of it: `Sun 2026-11-22 12:41:07.250 CET`. */
export function fullText(ms: number, zone: string): string {
  const weekday = format(zone, { weekday: 'short' }).format(ms);
  const fraction = ms % 1_000 === 0 ? '' : `.${String(ms % 1_000).padStart(3, '0')}`;
  return `${weekday} ${dateText(ms, zone)} ${clockText(ms, zone)}${fraction} ${zoneName(ms, zone)}`;
}

const UNITS: readonly [string, number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** `1 ms`, `1.25 s`, `12 s`, `4 m 10 s`, `3 h 5 m`, `14 d`. Never negative. */
export function durationText(ms: number): string {
  const value = Math.max(0, ms);
  if (value < 1_000) return `${Math.round(value)} ms`;
  if (value < 10_000) return `${Number((value / 1_000).toFixed(2))} s`;
  return coarseText(value, 2);
}

/** Whole units, at most `parts` of them, from the largest: `4 m`, `3 h 5 m`. */
export function coarseText(ms: number, parts = 1): string {
  let rest = Math.max(0, Math.round(ms / 1_000) * 1_000);
  if (rest < 1_000) return '0 s';
  const texts: string[] = [];
  for (const [unit, unitMs] of UNITS) {
    const count = Math.floor(rest / unitMs);
    if (count === 0) {
      if (texts.length > 0) break;
      continue;
    }
    texts.push(`${count} ${unit}`);
    rest -= count * unitMs;
    if (texts.length === parts) break;
  }
  return texts.join(' ');
}

/** `in 23 s`, `in 4 m`, `12 s ago`, `now`. */
export function relativeText(ms: number, nowMs: number): string {
  const difference = ms - nowMs;
  if (Math.abs(difference) < 1_000) return 'now';
  return difference > 0 ? `in ${coarseText(difference)}` : `${coarseText(-difference)} ago`;
}
