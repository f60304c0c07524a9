import { EtcronError } from '../errors.js';
import { BoundedCache } from './bounded-cache.js';
import { nearestBy } from './nearest.js';

/** The IANA database's own three-letter names. Intl may know more, such as BST, which it takes for Dhaka's time. */
const THREE_LETTER_NAMES = 'UTC GMT UCT CET EET MET WET EST MST HST PRC ROC ROK'.split(' ');

/** Each definition names a zone, and asking Intl takes 0.1 ms. */
const knownNames = new BoundedCache<string, true>(1_000);

/**
 * Throws ETCRON_TIMEZONE_INVALID unless `timeZone` is a name that Node's own time zone data knows (any letter case,
 * links such as `US/Eastern` too). Plain offsets such as `+02:00` and abbreviations that are no IANA names are refused:
 * versions of Node differ on them, and the nodes of one cluster must agree.
 */
export function assertTimeZone(timeZone: string): void {
  knownNames.getOrMake(timeZone, () => askIntl(timeZone));
}

function askIntl(timeZone: string): true {
  const isAbbreviation = /^[a-z]{3}$/i.test(timeZone) && !THREE_LETTER_NAMES.includes(timeZone.toUpperCase());
  if (!isAbbreviation && /^[a-z]/i.test(timeZone)) {
    try {
      new Intl.DateTimeFormat('en-US', { timeZone });
      return true;
    } catch {
      // A RangeError: unknown. The message below says it better.
    }
  }
  const near = isAbbreviation ? [] : suggestTimeZones(timeZone);
  throw new EtcronError('ETCRON_TIMEZONE_INVALID', `the time zone "${timeZone}" is unknown`, {
    hint:
      near.length > 0
        ? `did you mean ${near.join(' or ')}?`
        : 'use an IANA name such as Europe/Berlin, or UTC',
    details: { timeZone, near },
  });
}

/** Up to three zone names that look like `text`, or whose city does, nearest first. */
export function suggestTimeZones(text: string): string[] {
  const spelled = text.trim().replaceAll(' ', '_');
  if (spelled === '') return [];
  const names = ['UTC', ...Intl.supportedValuesOf('timeZone')];
  return nearestBy(spelled, names, (name) => [name, name.slice(name.lastIndexOf('/') + 1)], 3);
}
