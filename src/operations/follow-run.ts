/** Waits for the end of one run, telling what happens to it meanwhile. */
import type { Clock } from '../clock.js';
import { EtcronError } from '../errors.js';
import { formatRunId, type FiringId } from '../etcd/keys.js';
import { Mirror } from '../etcd/mirror.js';
import { singleKey } from '../etcd/store.js';
import { getRun, type RunEntry } from '../history/history.js';
import { silentLogger } from '../telemetry/logger.js';
import type { FiringEntry } from '../view/cluster-view.js';
import type { Cluster } from '../etcd/cluster.js';
import { firingEntry } from './snapshot.js';
import { shortDuration } from '../time-text.js';
import { runNotFound } from './find-run.js';

export interface FollowOptions {
  readonly clock: Clock;
  /** Null: for ever. */
  readonly timeoutMs: number | null;
  /** Ends the waiting: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Called with each new state of the firing. */
  readonly onProgress: (firing: FiringEntry) => void;
}

/**
 * Resolves with the run's record. Rejects with ETCRON_WAIT_TIMEOUT, and with ETCRON_RUN_NOT_FOUND when the firing went
 * away without one. An etcd that goes away in between is waited for.
 */
export async function followRun(cluster: Cluster, id: FiringId, options: FollowOptions): Promise<RunEntry> {
  const { store, keys } = cluster;
  const mirrored = { clock: options.clock, log: silentLogger() };
  const firing = new Mirror(store, singleKey(keys.firing(id)), { ...mirrored, name: 'firing' });
  const record = new Mirror(store, singleKey(keys.run(id)), { ...mirrored, name: 'run' });
  let resolve!: (run: RunEntry) => void;
  let reject!: (error: unknown) => void;
  const ended = new Promise<RunEntry>((...settle) => ([resolve, reject] = settle));
  // The timeout can come before anybody awaits it.
  ended.catch(() => undefined);
  let seen = 0;
  const check = async (): Promise<void> => {
    const kv = firing.get(keys.firing(id));
    const entry = kv && firingEntry(keys, kv);
    if (entry && entry.modRevision > seen) {
      seen = entry.modRevision;
      options.onProgress(entry);
    }
    if (kv && record.get(keys.run(id)) === undefined) return;
    // One transaction ends the firing and writes the record, but two watches do not show it as one.
    const run = await getRun(store, keys, id);
    if (run) resolve(run);
    else if (!kv) reject(runNotFound(id));
  };
  const checkAndReport = (): void => void check().catch(reject);
  const { timeoutMs, signal } = options;
  const leave = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', leave, { once: true });
  const timer =
    timeoutMs === null ? null : options.clock.setTimer(timeoutMs, () => reject(waitTimeout(id, timeoutMs)));
  try {
    await firing.start();
    await record.start();
    firing.onChange(checkAndReport);
    record.onChange(checkAndReport);
    checkAndReport();
    return await ended;
  } finally {
    timer?.cancel();
    signal?.removeEventListener('abort', leave);
    await Promise.all([firing.stop(), record.stop()]);
  }
}

function waitTimeout(id: FiringId, timeoutMs: number): EtcronError {
  return new EtcronError(
    'ETCRON_WAIT_TIMEOUT',
    `${formatRunId(id)} is not over after ${shortDuration(timeoutMs)}`,
    {
      hint: `It goes on; see "etcron runs get '${formatRunId(id)}'".`,
      details: { run: formatRunId(id), timeoutMs },
    },
  );
}
