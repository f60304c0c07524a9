import { setTimeout as wait } from 'node:timers/promises';
import { defineJob } from 'etcron';
import { z } from 'zod';

/** What the server serves: the newest report of each region. A real one would stand in a database. */
export const reports = new Map<string, { region: string; madeAt: string }>();

/** Every due time runs on one of the servers, whichever is there. */
export const report = defineJob({
  name: 'report',
  schedule: '0 6 * * mon-fri',
  timezone: 'Europe/Berlin',
  timeout: '5m',
  retries: { attempts: 3, delay: '30s' },
  payload: z.object({ regions: z.array(z.string()).min(1) }),
  data: { regions: ['north', 'south'] },
  handler: async ({ payload, signal, log, progress, now }) => {
    for (const [index, region] of payload.regions.entries()) {
      // Whatever takes time gets the signal: a kill, the timeout or a shutdown ends it.
      await wait(50, undefined, { signal });
      reports.set(region, { region, madeAt: now().toISOString() });
      log.info({ region }, 'made a report');
      progress((index + 1) / payload.regions.length);
    }
    return { made: payload.regions.length };
  },
});
