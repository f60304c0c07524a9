/** Waits until a worker that is drained runs nothing any more. */
import { EtcronError } from '../errors.js';
import { Mirror } from '../etcd/mirror.js';
import { listRange } from '../etcd/listing.js';
import { prefixRange, singleKey, type KeyValue } from '../etcd/store.js';
import { quote } from '../jobs/index.js';
import { plural } from '../plural.js';
import { silentLogger } from '../telemetry/logger.js';
import { shortDuration } from '../time-text.js';
import type { OperationContext } from './context.js';
import { resumedMeanwhile } from './drain-worker.js';
import { firingEntry, workerEntries } from './snapshot.js';

export interface DrainWaitOptions {
  /** Null: for ever. */
  readonly timeoutMs: number | null;
  readonly signal?: AbortSignal;
  /** The ids of the runs that it has, whenever they change. */
  readonly onProgress: (runs: readonly string[]) => void;
}

/**
 * Resolves when no process named `name` has a run, and each of them says that it drains: then nothing begins there either. A
 * worker that goes away runs nothing. Rejects with ETCRON_WAIT_TIMEOUT, and with ETCRON_CONFLICT when somebody resumes it.
 */
export async function waitForDrain(
  context: OperationContext,
  name: string,
  options: DrainWaitOptions,
): Promise<void> {
  const { store, keys, clock } = context;
  const mirrored = { clock, log: silentLogger() };
  const request = new Mirror(store, singleKey(keys.drain(name)), { ...mirrored, name: 'drain' });
  const workers = new Mirror(store, keys.mirroredWorkers, { ...mirrored, name: 'workers' });
  const firings = new Mirror(store, prefixRange(keys.firings), { ...mirrored, name: 'firings' });
  const mirrors = [request, workers, firings];
  let resolve!: () => void;
  let reject!: (error: unknown) => void;
  const ended = new Promise<void>((...settle) => ([resolve, reject] = settle));
  // The timeout can come before anybody awaits it.
  ended.catch(() => undefined);
  let runs: string[] = [];
  const runsIn = (kvs: Iterable<[string, KeyValue]>, nodes: ReadonlySet<string>): string[] =>
    [...kvs].flatMap(([, kv]) => {
      const firing = firingEntry(keys, kv);
      return firing !== null && nodes.has(firing.value.node ?? '') ? [firing.runId] : [];
    });
  const check = async (): Promise<void> => {
    if (request.get(keys.drain(name)) === undefined) throw resumedMeanwhile(name);
    const lives = workerEntries(
      keys,
      [...workers.entries()].map(([, kv]) => kv),
    ).filter(({ value }) => value.name === name);
    const nodes = new Set(lives.map(({ nodeId }) => nodeId));
    const seen = runsIn(firings.entries(), nodes);
    if (seen.join() !== runs.join()) options.onProgress(seen);
    runs = seen;
    if (seen.length > 0 || !lives.every(({ value }) => value.state === 'draining')) return;
    // Two watches have no common order: what one shows may be older than what the other does.
    const now = await listRange(store, prefixRange(keys.firings), { pageSize: 1_000 });
    if (runsIn(now.kvs, nodes).length === 0) resolve();
  };
  const checkAndReport = (): void => void check().catch(reject);
  const { timeoutMs, signal } = options;
  const leave = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', leave, { once: true });
  const timer =
    timeoutMs === null ? null : clock.setTimer(timeoutMs, () => reject(drainTimeout(name, timeoutMs, runs)));
  try {
    for (const mirror of mirrors) await mirror.start();
    for (const mirror of mirrors) mirror.onChange(checkAndReport);
    checkAndReport();
    await ended;
  } finally {
    timer?.cancel();
    signal?.removeEventListener('abort', leave);
    await Promise.all(mirrors.map((mirror) => mirror.stop()));
  }
}

function drainTimeout(name: string, timeoutMs: number, runs: readonly string[]): EtcronError {
  const left =
    runs.length === 0 ? 'it has not said yet that it drains' : `it has ${plural(runs.length, 'run')} left`;
  return new EtcronError(
    'ETCRON_WAIT_TIMEOUT',
    `${quote(name)} is not drained after ${shortDuration(timeoutMs)}: ${left}`,
    {
      hint: 'The request stands, and it takes nothing more. "etcron runs kill" ends what is left.',
      details: { name, runs, timeoutMs },
    },
  );
}
