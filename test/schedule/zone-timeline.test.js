import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ZoneTimeline, zoneTimeline } from '../../src/schedule/zone-timeline.js';
const sec = (iso) => Date.parse(iso) / 1000;
describe('segmentAt', () => {
  it('finds both changes of a year to the second', () => {
    const zone = new ZoneTimeline('America/New_York');
    expect(zone.segmentAt(sec('2026-03-08T06:59:59Z'))).toMatchObject({
      endSec: sec('2026-03-08T07:00:00Z'),
      offsetSec: -5 * 3600,
    });
    expect(zone.segmentAt(sec('2026-03-08T07:00:00Z'))).toEqual({
      startSec: sec('2026-03-08T07:00:00Z'),
      endSec: sec('2026-11-01T06:00:00Z'),
      offsetSec: -4 * 3600,
      previousOffsetSec: -5 * 3600,
    });
  });
  it('begins a segment with the change just before the new year, and else with the year', () => {
    // Morocco left summer time with the year 1985.
    expect(new ZoneTimeline('Africa/Casablanca').segmentAt(sec('1986-01-01T00:00:00Z'))).toMatchObject({
      startSec: sec('1985-12-31T23:00:00Z'),
      offsetSec: 0,
      previousOffsetSec: 3600,
    });
    expect(new ZoneTimeline('UTC').segmentAt(sec('1986-01-01T00:00:00Z'))).toEqual({
      startSec: sec('1986-01-01T00:00:00Z'),
      endSec: sec('1987-01-01T00:00:00Z'),
      offsetSec: 0,
      previousOffsetSec: 0,
    });
  });
  it('holds offsets of seconds, as Liberia had until 1972', () => {
    expect(new ZoneTimeline('Africa/Monrovia').segmentAt(0).offsetSec).toBe(-(44 * 60 + 30));
  });
  it('agrees with Intl anywhere, and is one constant stretch', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
        fc.integer({ min: 0, max: sec('2060-01-01T00:00:00Z') }),
        (timeZone, at) => {
          const segment = zoneTimeline(timeZone).segmentAt(at);
          expect(segment.startSec).toBeLessThanOrEqual(at);
          expect(segment.endSec).toBeGreaterThan(at);
          for (const there of [at, segment.startSec, segment.endSec - 1]) {
            expect(offsetByParts(timeZone, there)).toBe(segment.offsetSec);
          }
          expect(offsetByParts(timeZone, segment.startSec - 1)).toBe(segment.previousOffsetSec);
        },
      ),
      { seed: 20_260_401, numRuns: 200 },
    );
  });
});
function offsetByParts(timeZone, atSec) {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const part = {};
  for (const { type, value } of format.formatToParts(atSec * 1000)) part[type] = Number(value);
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - atSec;
}
