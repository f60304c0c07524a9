import { systemClock } from '../../clock.js';
import type { Store } from '../../etcd/store.js';
import {
  countReplaced,
  measureNode,
  measureSidecars,
  type Replaceable,
  type Sidecar,
} from '../../node/measure.js';
import type { NodeObserver } from '../../node/node-observer.js';
import type { Node } from '../../node/node.js';
import { sharedText } from '../../telemetry/metrics/metrics-text.js';
import { packageVersion } from '../../version.js';
import type { Cluster } from '../environment.js';

export interface WorkerMeasurement {
  /** For the node, in place of the one given. */
  readonly store: Store;
  readonly observer: NodeObserver;
  /** For the options of a process beside the worker, and of the thread of its API. */
  readonly onReplaced: (process: Replaceable) => () => void;
  /** From now on the metrics show these. */
  readonly show: (node: Node, sidecars: Readonly<Record<'watchdog' | 'launcher', Sidecar | null>>) => void;
  /** The metrics in Prometheus' text format; made at most once a second, however often somebody asks. */
  readonly metricsText: () => Promise<string>;
}

/** What a worker's process is made with so that it is measured. */
export async function measureWorker({ store, keys }: Cluster, worker: string): Promise<WorkerMeasurement> {
  const { WorkerMetrics } = await import('../../telemetry/metrics/worker-metrics.js');
  const metrics = new WorkerMetrics({ version: packageVersion(), worker, processMetrics: true });
  const { show, ...ofNode } = measureNode(metrics, { store, keys, clock: systemClock });
  return {
    ...ofNode,
    onReplaced: (process) => countReplaced(metrics, process),
    show: (node, sidecars) => {
      show(node);
      measureSidecars(metrics, sidecars);
    },
    metricsText: sharedText(() => metrics.text(), systemClock),
  };
}
