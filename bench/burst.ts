/** Firings that are all due at one instant, as at midnight: how late they start, and when the last one is durably finished. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NODE_DEFAULTS } from '../src/node/options.js';
import type { RunRecord } from '../src/history/run-record.js';
import { LiveLedger, runIds } from './accounting.js';
import type { BenchCluster } from './cluster.js';
import { profileTimeUs } from './cpu-profile.js';
import { RevisionClock } from './revision-clock.js';
import type { Figures, ScenarioContext } from './scenario.js';
import { onlyAt } from './schedules.js';
import { allEnded, judgeNotes } from './stretch.js';
import { beginUsage } from './usage.js';

/** Before the due time: longer than the horizon, so that planning falls into what is measured. */
const NOTICE_MS = NODE_DEFAULTS.horizonMs + 7_000;
/** Before the due time: before the first claim. */
const WATCHED_FROM_MS = 2_000;
const WATCHED_UNTIL_MS = 2_500;

export interface Burst {
  readonly latenessMs: readonly number[];
  /** Due time → the last record is committed, ms. */
  readonly finishedMs: number;
  readonly usage: Figures;
  readonly records: readonly RunRecord[];
  readonly problems: readonly string[];
  /** For `costsPerFiring`. */
  readonly fromUs: number;
  readonly toUs: number;
}

/** Puts `count` jobs that are due at one instant, numbered from `first` on, and measures them; planning is part of their cost. */
export async function measureBurst(
  { etcd }: Pick<ScenarioContext, 'etcd'>,
  cluster: BenchCluster,
  { count, first = 0 }: { readonly count: number; readonly first?: number },
): Promise<Burst> {
  const fromRevision = await cluster.revision();
  const dueMs = Math.ceil((Date.now() + NOTICE_MS) / 1000) * 1000;
  const fromUs = profileTimeUs();
  const usage = await beginUsage(etcd.endpoint, cluster.pids);
  const jobs = await cluster.putJobs(count, onlyAt(new Date(dueMs)), {}, 'burst', first);

  await sleep(dueMs - WATCHED_FROM_MS - Date.now());
  const clock = new RevisionClock(cluster);
  await sleep(dueMs + WATCHED_UNTIL_MS - Date.now());
  await allEnded(cluster, dueMs);
  await clock.stop();
  const spent = await usage.figures(count);
  const toUs = profileTimeUs();

  const expected = runIds(jobs, [dueMs]);
  const live = new LiveLedger(cluster, fromRevision);
  try {
    await live.sync();
    const account = live.ledger.judge(expected);
    const starts = judgeNotes(account.records.length, jobs, [dueMs], await cluster.notes());
    const last = expected.reduce((latest, runId) => Math.max(latest, live.ledger.recordedAt(runId)), 0);
    return {
      latenessMs: starts.latenessMs,
      finishedMs: clock.timeOf(last) - dueMs,
      usage: spent,
      records: account.records,
      problems: [...account.problems, ...starts.problems],
      fromUs,
      toUs,
    };
  } finally {
    live.close();
  }
}
