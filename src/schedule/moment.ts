/** Points in time as people write them: an instant with its offset from UTC, or what a clock in some zone shows. */
import { formatNominal } from './local-text.js';
import type { ZoneTimeline } from './zone-timeline.js';

export type Moment =
  | { readonly kind: 'instant'; readonly ms: number }
  /** `nominalMs` counts as if the reading were UTC. */
  | { readonly kind: 'local'; readonly nominalMs: number; readonly isDateOnly: boolean };

const DAY_MS = 86_400_000;
/** More than any offset from UTC and any change of an offset. */
const SLACK_SEC = 2 * 86_400;
const END_SEC = Date.UTC(10_000, 0, 1) / 1000;

const MOMENT =
  /^(\d{4}-\d\d-\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,3}))?)?(?:(Z)|([+-])(\d\d):(\d\d))?)?$/i;

/** Null when the text is none, or names a day or an hour that no calendar or clock has. */
export function readMoment(text: string): Moment | null {
  const parts = MOMENT.exec(text);
  const day = parts && readDate(parts[1]!);
  if (!parts || day === null) return null;
  const [hour, minute, second] = [parts[2], parts[3], parts[4]].map((part) => Number(part ?? 0));
  const millisecond = Number((parts[5] ?? '').padEnd(3, '0'));
  const [offsetHours, offsetMinutes] = [Number(parts[8] ?? 0), Number(parts[9] ?? 0)];
  if (hour! > 23 || minute! > 59 || second! > 59 || offsetHours > 23 || offsetMinutes > 59) return null;
  const nominalMs = day * DAY_MS + ((hour! * 60 + minute!) * 60 + second!) * 1000 + millisecond;
  if (parts[6] === undefined && parts[7] === undefined) {
    return { kind: 'local', nominalMs, isDateOnly: parts[2] === undefined };
  }
  const offsetMs = (offsetHours * 60 + offsetMinutes) * 60_000;
  const ms = parts[7] === '-' ? nominalMs + offsetMs : nominalMs - offsetMs;
  return ms < 0 ? null : { kind: 'instant', ms };
}

/** A date as days since 1970-01-01, or null when the calendar has no such day from 1970 on. */
export function readDate(text: string): number | null {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : NaN;
  if (Number.isNaN(ms) || ms < 0 || new Date(ms).toISOString().slice(0, 10) !== text) return null;
  return ms / DAY_MS;
}

/** What is wrong with the text of a moment, with a hint on the second line; null when nothing. */
export function momentProblem(text: string): string | null {
  if (readMoment(text) !== null) return null;
  const hint = /^\d{4}-\d\d-\d\d +\d/.test(text)
    ? `write it with a T: ${text.replace(/ +/, 'T')}`
    : 'write 2026-12-24T18:00:00 for a time in the zone of the job, 2026-12-24T17:00:00Z for one in UTC';
  return `must be a time from 1970 on, not ${JSON.stringify(text.slice(0, 60))}\n${hint}`;
}

/**
 * The instant of a moment in a zone. A local reading follows the rule for fixed due times: one in a gap is the instant
 * at which the gap ends, a repeated one its first occurrence; `note` says so. A date alone is its first instant, or with
 * `atEndOfDay` its last millisecond.
 */
export function resolveMoment(
  moment: Moment,
  zone: ZoneTimeline,
  atEndOfDay = false,
): { readonly ms: number; readonly note?: string } {
  if (moment.kind === 'instant') return { ms: moment.ms };
  if (moment.isDateOnly && atEndOfDay) return { ms: resolveLocal(moment.nominalMs + DAY_MS, zone).ms - 1 };
  return resolveLocal(moment.nominalMs, zone);
}

function resolveLocal(nominalMs: number, zone: ZoneTimeline): { ms: number; note?: string } {
  const nominalSec = Math.floor(nominalMs / 1000);
  let segment = zone.segmentAt(Math.min(Math.max(0, nominalSec - SLACK_SEC), END_SEC - 1));
  while (nominalSec >= segment.endSec + segment.offsetSec && segment.endSec < END_SEC) {
    segment = zone.segmentAt(segment.endSec);
  }
  const ms = nominalMs - segment.offsetSec * 1000;
  if (ms < segment.startSec * 1000) {
    const skipped = formatNominal(nominalSec).slice(-8);
    return { ms: segment.startSec * 1000, note: `moved by the clock change (${skipped} does not exist)` };
  }
  const following = zone.segmentAt(Math.min(segment.endSec, END_SEC - 1));
  if (nominalSec < segment.endSec + following.offsetSec) return { ms };
  return { ms, note: 'first of two (repeated hour); not due again in the second' };
}
