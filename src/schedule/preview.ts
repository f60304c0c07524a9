import { formatLocal } from './local-text.js';
import type { ParsedSchedule } from './parsed-schedule.js';
import { zoneTimeline } from './zone-timeline.js';

export interface PreviewEntry {
  /** ms since the Unix epoch. */
  readonly dueMs: number;
  /** The due time on the schedule's own clock, as `Sun 2026-03-08 03:00:00 -04:00`. */
  readonly localText: string;
  /** What a clock change did to it, when one did: moved, merged, first or second of two. */
  readonly note?: string;
  /** The expressions that ask for it, of several. */
  readonly expressions: readonly string[];
}

/** The first `count` due times strictly after `fromMs`; fewer when the schedule has no more. */
export function preview(schedule: ParsedSchedule, fromMs: number, count: number): PreviewEntry[] {
  const zone = zoneTimeline(schedule.timeZone);
  const entries: PreviewEntry[] = [];
  let dueMs = schedule.next(fromMs);
  while (dueMs !== null && entries.length < count) {
    const note = schedule.noteAt(dueMs);
    const expressions = schedule.expressionsAt(dueMs);
    const localText = formatLocal(dueMs, zone);
    entries.push({ dueMs, localText, ...(note === undefined ? {} : { note }), expressions });
    dueMs = schedule.next(dueMs);
  }
  return entries;
}
