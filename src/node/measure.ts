import type { Clock } from '../clock.js';
import type { Keys } from '../etcd/keys.js';
import { MeasuredStore } from '../etcd/measured-store.js';
import type { Store } from '../etcd/store.js';
import type { WorkerMetrics } from '../telemetry/metrics/worker-metrics.js';
import { collectVitals } from './collect-vitals.js';
import { metricsObserver } from './metrics-observer.js';
import type { NodeObserver } from './node-observer.js';
import type { Node } from './node.js';

export interface NodeMeasurement {
  /** For the node, in place of the one given. */
  readonly store: Store;
  readonly observer: NodeObserver;
  /** From now on the metrics show the node; before it is started. */
  readonly show: (node: Node) => void;
}

/** What a node is made with so that it is measured. */
export function measureNode(
  metrics: WorkerMetrics,
  { store, keys, clock }: { readonly store: Store; readonly keys: Keys; readonly clock: Clock },
): NodeMeasurement {
  return {
    store: new MeasuredStore(store, { metrics, clock, mirrored: keys.mirrored }),
    observer: metricsObserver(metrics, keys),
    show: (node) => collectVitals(metrics, node, clock),
  };
}

/** A process beside a worker: the watchdog, or the launcher. */
export interface Sidecar {
  /** Null when there is none just now. */
  readonly pid: number | null;
}

/** From now on the metrics show the processes beside the worker; null for one that is not wanted. */
export function measureSidecars(
  metrics: WorkerMetrics,
  sidecars: Readonly<Record<'watchdog' | 'launcher', Sidecar | null>>,
): void {
  metrics.onCollect(() => {
    for (const process of ['watchdog', 'launcher'] as const) {
      const sidecar = sidecars[process];
      if (sidecar !== null) metrics.get('sidecarUp').set({ process }, sidecar.pid === null ? 0 : 1);
    }
  });
}

/** What dies without the worker. */
export type Replaceable = 'watchdog' | 'launcher' | 'api';

/** What the `onReplaced` of a sidecar, or of the thread of the API, is to call. */
export function countReplaced(metrics: WorkerMetrics, process: Replaceable): () => void {
  const restarts = metrics.get('sidecarRestarts').labels({ process });
  restarts.inc(0);
  return () => restarts.inc();
}
