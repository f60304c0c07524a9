/**
 * Whether the death of the leader makes firings late: it is killed outright at a random moment, and the firings of the
 * seconds after it are compared with those of the seconds before it. What the dead node had claimed itself has to wait for
 * its watchdog, as after the death of any worker; everything else was planned long before, and must be as punctual as ever.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '../../src/random.js';
import { LiveLedger, runIds } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import { notingCommand, readStarts, repeatedStarts, type Start } from '../evidence.js';
import type { Ledger } from '../ledger.js';
import { PlanWatch } from '../plan-watch.js';
import { spreadMeasures, type Scenario } from '../scenario.js';
import { secondsBetween } from '../schedules.js';
import { median, percentile, spread } from '../statistics.js';

/** So few that the starts of one second do not wait long for each other on two cores, also when two workers are left. */
const JOBS = 30;
const KILLS = 5;
/** Compared on either side of the kill. */
const WINDOW_MS = 15_000;
/** After a start of workers, which takes the machine for a moment. */
const SETTLE_MS = 5_000;
const LEADS_WITHIN_MS = 60_000;
const LAST_RECORD_WITHIN_MS = 30_000;
/** Whether a command ran twice is judged by the commands. */
const ALLOWED = { crashes: true, handBacks: true };
const POLL_MS = 10;

export const leaderKill: Scenario = {
  name: 'leader-kill',
  title: `the leader of 3 workers is killed ${KILLS} times amid ${JOBS} firings a second`,
  measures: [
    ...spreadMeasures('before', `lateness in the ${WINDOW_MS / 1000} s before the kill`),
    ...spreadMeasures('after', `lateness in the ${WINDOW_MS / 1000} s after it, not claimed by the dead`),
    { key: 'p50Ratio', label: 'after ÷ before, p50 (2 workers carry what 3 carried)', unit: '×', digits: 2 },
    { key: 'maxRatio', label: 'after ÷ before, max', unit: '×', digits: 2 },
    { key: 'allMaxMs', label: 'worst lateness after the kill of all firings', unit: 'ms', digits: 0 },
    { key: 'claimed', label: 'firings that the dead had claimed and not ended', unit: '', digits: 0 },
    { key: 'claimedMaxMs', label: 'worst lateness of those', unit: 'ms', digits: 0 },
    {
      key: 'noticeMs',
      label: 'firings after the kill: planned before they were due, at least',
      unit: 'ms',
      digits: 0,
    },
    { key: 'takeoverMs', label: 'kill → another one leads, median', unit: 'ms', digits: 0 },
    { key: 'takeoverMaxMs', label: 'kill → another one leads, max', unit: 'ms', digits: 0 },
  ],
  targets: [],

  async run(context) {
    const folder = await mkdtemp(join(tmpdir(), 'etcron-bench-'));
    const file = join(folder, 'starts');
    const cluster = await BenchCluster.start(context, '/leader-kill');
    const random = createRandom('leader-kill');
    const fromRevision = await cluster.revision();
    const live = new LiveLedger(cluster, fromRevision);
    const plans = new PlanWatch(cluster.store, cluster.keys, fromRevision);
    try {
      const jobs = await cluster.putJobs(JOBS, '* * * * * *', notingCommand(file));
      await cluster.allPlanned(jobs);
      const takeovers: number[] = [];
      const found: Latenesses[] = [];
      const notices: number[] = [];
      const problems: string[] = [];
      for (let kill = 1; kill <= KILLS; kill += 1) {
        await sleep(SETTLE_MS + WINDOW_MS + random.next() * 1000);
        const leader = await cluster.leader();
        if (leader === null) throw new Error('nobody leads');
        const killedMs = cluster.kill(leader);
        takeovers.push(await nextLeads(cluster, killedMs));
        await sleep(killedMs + WINDOW_MS - Date.now());
        const expected = runIds(jobs, secondsBetween(killedMs - WINDOW_MS, killedMs + WINDOW_MS));
        const account = await live.account(expected, LAST_RECORD_WITHIN_MS, ALLOWED);
        const window = compareStarts(expected, await readStarts(file), live.ledger, killedMs);
        live.ledger.settle(expected);
        found.push(window);
        notices.push(...plans.take(runIds(jobs, secondsBetween(killedMs, killedMs + WINDOW_MS))));
        problems.push(
          ...[...account.problems, ...window.problems].map((problem) => `kill ${kill}: ${problem}`),
        );
        await cluster.complete();
      }
      problems.push(...repeatedStarts(await readStarts(file)));
      for (const line of cluster.complaints()) context.say(line);
      const [before, after, claimed] = (['before', 'after', 'claimed'] as const).map((which) =>
        found.flatMap((window) => window[which]),
      ) as [number[], number[], number[]];
      const figures = {
        ...spread('before', before),
        ...spread('after', after),
        p50Ratio: percentile(after, 0.5) / percentile(before, 0.5),
        maxRatio: percentile(after, 1) / percentile(before, 1),
        allMaxMs: percentile([...after, ...claimed], 1),
        claimed: claimed.length,
        claimedMaxMs: percentile(claimed, 1),
        noticeMs: Math.min(...notices),
        takeoverMs: median(takeovers),
        takeoverMaxMs: percentile(takeovers, 1),
      };
      return { figures, problems };
    } finally {
      live.close();
      plans.close();
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** How long after the kill another worker leads, ms. */
async function nextLeads(cluster: BenchCluster, killedMs: number): Promise<number> {
  while ((await cluster.leader()) === null) {
    if (Date.now() - killedMs > LEADS_WITHIN_MS) throw new Error('nobody took the lead in time');
    await sleep(POLL_MS);
  }
  return Date.now() - killedMs;
}

interface Latenesses {
  readonly before: number[];
  readonly after: number[];
  /** Of firings on either side that the dead worker had claimed and not ended. */
  readonly claimed: number[];
  readonly problems: string[];
}

/** First starts, by the commands' own clock readings. */
export function compareStarts(
  expected: readonly string[],
  starts: readonly Start[],
  ledger: Pick<Ledger, 'recordOf'>,
  killedMs: number,
): Latenesses {
  const byRun = new Map<string, Start[]>();
  for (const start of starts) {
    const own = byRun.get(start.runId);
    if (own) own.push(start);
    else byRun.set(start.runId, [start]);
  }
  const found: Latenesses = { before: [], after: [], claimed: [], problems: [] };
  for (const runId of expected) {
    const dueMs = Date.parse(runId.slice(runId.indexOf('/') + 1));
    const own = byRun.get(runId) ?? [];
    const crashes = ledger.recordOf(runId)?.crashes ?? 0;
    if (own.length === 0 || own.length > 1 + crashes)
      found.problems.push(`${runId} started ${own.length} times, ${crashes} workers of it died`);
    if (own.length === 0) continue;
    const latenessMs = Math.min(...own.map(({ atMs }) => atMs)) - dueMs;
    if (latenessMs < 0) found.problems.push(`${runId} started ${-latenessMs} ms early`);
    found[crashes > 0 ? 'claimed' : dueMs < killedMs ? 'before' : 'after'].push(latenessMs);
  }
  return found;
}
