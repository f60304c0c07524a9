/** Schedules of many jobs, none of which is due soon. */
import type { createRandom } from '../src/random.js';

export interface DistantSchedule {
  readonly schedule: string;
  readonly timezone: string;
}

const ZONES = [
  ...[
    'UTC',
    'Europe/Berlin',
    'Europe/London',
    'America/New_York',
    'America/Los_Angeles',
    'America/Sao_Paulo',
  ],
  ...['Asia/Tokyo', 'Asia/Kolkata', 'Australia/Sydney', 'Africa/Johannesburg'],
] as const;
const MINUTE_MS = 60_000;
const FIRST_MINUTES = 120;
/** Less than a day, so that it is not due before that either. */
const MINUTES = 1_200;
const MONTHLY_SHARE = 0.4;

/** Daily and monthly ones, due 2 to 22 hours after `nowMs` at the earliest, at minutes of their own time zones. */
export function distantSchedules(
  nowMs: number,
  count: number,
  random: ReturnType<typeof createRandom>,
): DistantSchedule[] {
  const formats = new Map(
    ZONES.map((zone) => [
      zone,
      new Intl.DateTimeFormat('en', {
        timeZone: zone,
        hourCycle: 'h23',
        ...{ hour: 'numeric', minute: 'numeric' },
      }),
    ]),
  );
  const localTimes = new Map<string, string>();
  return Array.from({ length: count }, () => {
    const timezone = random.pick(ZONES);
    const minute = FIRST_MINUTES + Math.floor(random.next() * MINUTES);
    const key = `${timezone}@${minute}`;
    let local = localTimes.get(key);
    if (local === undefined) {
      const parts = formats.get(timezone)!.formatToParts(nowMs + minute * MINUTE_MS);
      const field = (type: string): number => Number(parts.find((part) => part.type === type)!.value);
      local = `${field('minute')} ${field('hour')}`;
      localTimes.set(key, local);
    }
    const day = random.next() < MONTHLY_SHARE ? String(1 + Math.floor(random.next() * 28)) : '*';
    return { schedule: `${local} ${day} * *`, timezone };
  });
}
