import { readMoment, resolveMoment } from './moment.js';
import { zoneTimeline } from './zone-timeline.js';

/**
 * The instant of a valid moment (see `momentProblem`) in a zone; of a date alone its first one, or with `atEndOfDay` its
 * last. In ms since the epoch.
 */
export function momentMs(text: string, timeZone: string, atEndOfDay = false): number {
  const moment = readMoment(text);
  if (moment === null) throw new RangeError(`not a moment: ${text}`);
  return resolveMoment(moment, zoneTimeline(timeZone), atEndOfDay).ms;
}
