import type { Clock } from '../../clock.js';
import { workerRecordSchema } from '../../election/worker-record.js';
import type { Cluster } from '../../etcd/cluster.js';
import { decodeRecord } from '../../etcd/record.js';
import type { Snapshot } from '../../operations/snapshot.js';
import type { WorkerClock } from './facts.js';

/**
 * Listens until each worker has said what its clock shows, which they do every five seconds, or until `limitMs` is over. What
 * was written before would not do: nobody knows how long it has been there.
 */
export function listenToClocks(
  { store, keys }: Cluster,
  { workers, revision }: Pick<Snapshot, 'workers' | 'revision'>,
  clock: Clock,
  limitMs: number,
): Promise<WorkerClock[]> {
  const heard = new Map<string, number>();
  const missing = new Set(workers.map(({ nodeId }) => nodeId));
  return new Promise((resolve) => {
    const done = (): void => {
      timer.cancel();
      watch?.close();
      resolve([...heard].map(([nodeId, aheadMs]) => ({ nodeId, aheadMs })));
    };
    const timer = clock.setTimer(limitMs, done);
    const watch =
      missing.size === 0
        ? null
        : store.watch(keys.mirroredWorkers, revision + 1, {
            onEvents: (events) => {
              const nowMs = clock.now();
              for (const event of events) {
                if (event.type !== 'put') continue;
                const nodeId = event.kv.key.slice(keys.workers.length);
                const record = decodeRecord(workerRecordSchema, event.kv);
                if (!record.ok || record.value.clock === null) continue;
                // One that was under way for the shortest time is the best.
                heard.set(nodeId, Math.max(heard.get(nodeId) ?? -Infinity, record.value.clock - nowMs));
                missing.delete(nodeId);
              }
              if (missing.size === 0) done();
            },
            onLost: done,
          });
    if (missing.size === 0) done();
  });
}
