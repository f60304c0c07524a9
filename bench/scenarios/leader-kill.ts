/**
 * Whether the death of the leader makes firings late: it is killed outright at a random moment, and the firings of the
 * seconds after it are compared with those of the seconds before it. What the dead node had claimed itself has to wait for
 * its watchdog, as after the death of any worker; everything else was planned long before, and must be as punctual as ever.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseRunId } from '../../src/etcd/keys.js';
import { createRandom } from '../../src/random.js';
import { LiveLedger, runIds } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import type { Ledger } from '../ledger.js';
import { faultsOf, firingKey, numberOf, type StartNote } from '../notes.js';
import { PlanWatch } from '../plan-watch.js';
import { WATCH_MEASURES, watchLimits } from '../raw-clients.js';
import { spreadMeasures, WORKERS, type Scenario } from '../scenario.js';
import { secondsBetween } from '../schedules.js';
import { median, percentile, spread } from '../statistics.js';
import { beginUsage, HANDLER_USAGE_MEASURES } from '../usage.js';

const JOBS = 100;
const KILLS = 5;
/** Compared on either side of the kill. */
const BEFORE_MS = 6_000;
/** Longer than the lease of the dead node. */
const AFTER_MS = 12_000;
/** After a start of workers, which takes the machine for a moment. */
const SETTLE_MS = 3_000;
const LEADS_WITHIN_MS = 60_000;
const LAST_RECORD_WITHIN_MS = 30_000;
/** Whether a handler ran twice is judged by the handlers. */
const ALLOWED = { crashes: true, handBacks: true };
const POLL_MS = 10;

export const leaderKill: Scenario = {
  name: 'leader-kill',
  title: `the leader of ${WORKERS} workers is killed ${KILLS} times amid ${JOBS} no-op handler firings a second`,
  measures: [
    {
      key: 'allMaxMs',
      label: `worst lateness in the ${AFTER_MS / 1000} s after the kill, all firings`,
      unit: 'ms',
      digits: 0,
    },
    ...spreadMeasures('before', `lateness in the ${BEFORE_MS / 1000} s before the kill`, 1),
    ...spreadMeasures('after', 'lateness after it, not claimed by the dead', 1),
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
    { key: 'afterOverWatchP99', label: 'lateness after it ÷ put → watch event, p99', unit: '×', digits: 2 },
    ...HANDLER_USAGE_MEASURES,
  ],
  rawMeasures: WATCH_MEASURES,
  targets: [
    { measure: 'allMaxMs', atMost: 100 },
    { measure: 'afterMaxMs', atMost: 100 },
  ],

  async run(context) {
    const raw = watchLimits(await context.rawLimits(WORKERS));
    const cluster = await BenchCluster.start(context, '/leader-kill', { kind: 'handler' });
    const random = createRandom('leader-kill');
    const fromRevision = await cluster.revision();
    const live = new LiveLedger(cluster, fromRevision);
    const plans = new PlanWatch(cluster.store, cluster.keys, fromRevision);
    try {
      const jobs = await cluster.putJobs(JOBS, '* * * * * *');
      await cluster.allPlanned(jobs);
      const fromMs = Date.now();
      const usage = await beginUsage(context.etcd.endpoint, cluster.pids);
      const takeovers: number[] = [];
      const found: Latenesses[] = [];
      const notices: number[] = [];
      const problems: string[] = [];
      for (let kill = 1; kill <= KILLS; kill += 1) {
        await sleep(SETTLE_MS + BEFORE_MS + random.next() * 1000);
        const leader = await cluster.leader();
        if (leader === null) throw new Error('nobody leads');
        const killedMs = cluster.kill(leader);
        takeovers.push(await nextLeads(cluster, killedMs));
        await sleep(killedMs + AFTER_MS - Date.now());
        const expected = runIds(jobs, secondsBetween(killedMs - BEFORE_MS, killedMs + AFTER_MS));
        const account = await live.account(expected, LAST_RECORD_WITHIN_MS, ALLOWED);
        const window = compareStarts(expected, await cluster.notes(), live.ledger, {
          ...{ killedMs, killed: leader.name },
        });
        live.ledger.settle(expected);
        found.push(window);
        notices.push(...plans.take(runIds(jobs, secondsBetween(killedMs, killedMs + AFTER_MS))));
        problems.push(
          ...[...account.problems, ...window.problems].map((problem) => `kill ${kill}: ${problem}`),
        );
        await cluster.complete();
      }
      // Of the workers, those that were killed are no more to be asked.
      const spent = await usage.figures((JOBS * (Date.now() - fromMs)) / 1000);
      problems.push(...faultsOf(await cluster.notes()));
      for (const line of cluster.complaints()) context.say(line);
      const [before, after, claimed] = (['before', 'after', 'claimed'] as const).map((which) =>
        found.flatMap((window) => window[which]),
      ) as [number[], number[], number[]];
      const figures = {
        ...spread('before', before),
        ...spread('after', after),
        allMaxMs: percentile([...after, ...claimed], 1),
        claimed: claimed.length,
        claimedMaxMs: percentile(claimed, 1),
        noticeMs: Math.min(...notices),
        takeoverMs: median(takeovers),
        takeoverMaxMs: percentile(takeovers, 1),
        afterOverWatchP99: percentile(after, 0.99) / raw.watchP99Ms!,
        ...spent,
      };
      return { figures, problems, raw };
    } finally {
      live.close();
      plans.close();
      await cluster.stop();
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

/**
 * First starts, by the handlers' own notes. What the dead worker had not yet written down of its last second is taken from the
 * records.
 */
export function compareStarts(
  expected: readonly string[],
  notes: readonly StartNote[],
  ledger: Pick<Ledger, 'recordOf'>,
  { killedMs, killed }: { readonly killedMs: number; readonly killed: string },
): Latenesses {
  const byFiring = new Map<string, StartNote[]>();
  for (const note of notes) {
    const key = firingKey(note.job, note.dueMs);
    const own = byFiring.get(key);
    if (own) own.push(note);
    else byFiring.set(key, [note]);
  }
  const found: Latenesses = { before: [], after: [], claimed: [], problems: [] };
  for (const runId of expected) {
    const { job, dueMs } = parseRunId(runId)!;
    const own = byFiring.get(firingKey(numberOf(job), dueMs)) ?? [];
    const record = ledger.recordOf(runId);
    const crashes = record?.crashes ?? 0;
    const startedMs = record?.worker === killed ? record.startedAt : null;
    if ((own.length === 0 && startedMs === null) || own.length > 1 + crashes)
      found.problems.push(`${runId} started ${own.length} times, ${crashes} workers of it died`);
    if (own.length === 0 && startedMs === null) continue;
    const latenessMs =
      own.length === 0 ? startedMs! - dueMs : Math.min(...own.map((note) => note.latenessMs));
    found[crashes > 0 ? 'claimed' : dueMs < killedMs ? 'before' : 'after'].push(latenessMs);
  }
  return found;
}
