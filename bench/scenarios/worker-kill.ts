/**
 * How long a crash interrupts: a worker is killed outright while it runs commands, and each of them has to start again on
 * another one. Both moments are read outside of etcron: when the signal was sent, and when the next command noted
 * its start.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom, type Random } from '../../src/random.js';
import { LiveLedger, runIds } from '../accounting.js';
import { BenchCluster } from '../cluster.js';
import { notingCommand, repeatedStarts, startsWhen, type Start } from '../evidence.js';
import { Gate } from '../gate.js';
import { watchdogsOf } from '../memory.js';
import { WATCH_MEASURES, watchLimits } from '../raw-clients.js';
import { spreadMeasures, WORKERS, type Scenario } from '../scenario.js';
import { onlyAt } from '../schedules.js';
import { percentile, spread } from '../statistics.js';

const KILLS = 12;
const KILLS_WITH_WATCHDOG = 3;
/** About five for each worker. */
const RUNS = 15;
const NOTICE_MS = 2_000;
const STARTED_WITHIN_MS = 30_000;
const RESTARTED_WITHIN_MS = 60_000;
const LAST_RECORD_WITHIN_MS = 30_000;
/** Whether a command ran twice is judged by the commands. */
const ALLOWED = { crashes: true, handBacks: true };
/** After the last start, and after a worker that was replaced has registered. */
const SETTLE_MS = 1_000;

export const workerKill: Scenario = {
  name: 'worker-kill',
  title: `a worker of 3 is killed ${KILLS} times, ${KILLS_WITH_WATCHDOG} times with its watchdog, amid ${RUNS} runs`,
  measures: [
    ...spreadMeasures('restart', 'SIGKILL of a worker → next attempt of its run starts'),
    { key: 'runs', label: 'runs that lost their worker', unit: '', digits: 0 },
    ...spreadMeasures('expiry', 'the same, worker and watchdog killed (lease expiry)'),
    { key: 'expiryRuns', label: 'runs that lost worker and watchdog', unit: '', digits: 0 },
    { key: 'restartOverWatchP50', label: 'restart ÷ put → watch event, p50', unit: '×', digits: 1 },
  ],
  rawMeasures: WATCH_MEASURES,
  targets: [{ measure: 'restartMaxMs', atMost: 500 }],

  async run(context) {
    const raw = watchLimits(await context.rawLimits(WORKERS));
    const folder = await mkdtemp(join(tmpdir(), 'etcron-bench-'));
    const cluster = await BenchCluster.start(context, '/worker-kill');
    const random = createRandom('worker-kill');
    try {
      const alone: number[] = [];
      const together: number[] = [];
      const problems: string[] = [];
      for (let kill = 1; kill <= KILLS + KILLS_WITH_WATCHDOG; kill += 1) {
        const withWatchdog = kill > KILLS;
        const round = await killOne(cluster, { folder, random, withWatchdog, label: `kill-${kill}` });
        (withWatchdog ? together : alone).push(...round.delaysMs);
        problems.push(...round.problems);
      }
      for (const line of cluster.complaints()) context.say(line);
      const figures = {
        ...spread('restart', alone),
        runs: alone.length,
        ...spread('expiry', together),
        expiryRuns: together.length,
        restartOverWatchP50: percentile(alone, 0.5) / raw.watchP50Ms!,
      };
      return { figures, problems, raw };
    } finally {
      await cluster.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

interface Round {
  readonly folder: string;
  readonly random: Random;
  readonly withWatchdog: boolean;
  readonly label: string;
}

async function killOne(
  cluster: BenchCluster,
  { folder, random, withWatchdog, label }: Round,
): Promise<{ delaysMs: number[]; problems: string[] }> {
  const file = join(folder, label);
  const gate = new Gate(join(folder, `${label}-gate`));
  const live = new LiveLedger(cluster, await cluster.revision());
  try {
    const dueMs = Math.ceil((Date.now() + NOTICE_MS) / 1000) * 1000;
    const jobs = await cluster.putJobs(
      RUNS,
      onlyAt(new Date(dueMs)),
      notingCommand(file, gate.waiting),
      label,
    );
    const before = await startsWhen(file, (starts) => starts.length >= RUNS, STARTED_WITHIN_MS);
    await sleep(SETTLE_MS);
    const victim = random.pick(
      cluster.workers.filter(({ pid }) => before.some(({ workerPid }) => workerPid === pid)),
    );
    const watchdog = (await watchdogsOf([victim.pid])).get(victim.pid);
    if (watchdog === undefined) throw new Error(`worker ${victim.name} has no watchdog`);
    const killedMs = cluster.kill(victim, withWatchdog ? watchdog : null);

    const hit = new Set(before.filter(({ workerPid }) => workerPid === victim.pid).map(({ runId }) => runId));
    const after = await startsWhen(
      file,
      (starts) => starts.length >= before.length + hit.size,
      RESTARTED_WITHIN_MS,
    );
    gate.open();
    const expected = runIds(jobs, [dueMs]);
    const account = await live.account(expected, LAST_RECORD_WITHIN_MS, ALLOWED);
    // What started late, and once too often, would show by now.
    const starts = await startsWhen(file, () => true, 0);
    const nexts = after.slice(before.length);
    await cluster.complete();
    await sleep(SETTLE_MS);
    return {
      delaysMs: nexts.map(({ atMs }) => atMs - killedMs),
      problems: [...account.problems, ...judgeStarts(expected, starts, hit, dueMs, victim.pid)].map(
        (problem) => `${label}: ${problem}`,
      ),
    };
  } finally {
    live.close();
  }
}

/** Each run starts once, and once more on another worker when it was hit. */
export function judgeStarts(
  expected: readonly string[],
  starts: readonly Start[],
  hit: ReadonlySet<string>,
  dueMs: number,
  killedPid: number,
): string[] {
  const problems = repeatedStarts(starts);
  for (const runId of expected) {
    const own = starts.filter((start) => start.runId === runId);
    const right = hit.has(runId) ? 2 : 1;
    if (own.length !== right) problems.push(`${runId} started ${own.length} times instead of ${right}`);
    if (own.slice(1).some(({ workerPid }) => workerPid === killedPid))
      problems.push(`${runId} started again on the worker that was killed`);
    if (own.some(({ atMs }) => atMs < dueMs)) problems.push(`${runId} started early`);
  }
  return problems;
}
