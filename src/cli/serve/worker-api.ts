/** The API of a worker, in a thread of its own. */
import { Worker } from 'node:worker_threads';
import { ApiThread } from '../../api/thread/api-thread.js';
import type { ThreadData, WorkerState } from '../../api/thread/messages.js';
import { systemClock } from '../../clock.js';
import type { Node } from '../../node/node.js';
import type { Logger } from '../../telemetry/logger.js';

const MAIN = new URL('./api-thread-main.js', import.meta.url);
/** 100,000 runs and 100,000 jobs fit; something that grows beyond this ends the thread, and not the worker. */
const MAX_HEAP_MIB = 1_024;

export interface WorkerApiOptions {
  readonly data: ThreadData;
  readonly log: Logger;
  readonly node: Node;
  readonly metricsText: () => Promise<string>;
  /** The thread died, or hung, and another one is begun. */
  readonly onReplaced: () => void;
}

export function workerApi({ data, log, node, metricsText, onReplaced }: WorkerApiOptions): ApiThread {
  return new ApiThread({
    clock: systemClock,
    log,
    spawn: () =>
      new Worker(MAIN, {
        workerData: data,
        name: 'etcron-api',
        resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
      }),
    answers: {
      metrics: metricsText,
      state: () => Promise.resolve(stateOf(node)),
    },
    onAddress: (url) => node.announceApi(url),
    onReplaced,
  });
}

function stateOf(node: Node): WorkerState {
  const { nodeId } = node;
  const reasons =
    nodeId === null ? ['it has no lease: etcd does not answer, or it is just starting or stopping'] : [];
  return { nodeId, ready: nodeId !== null, reasons };
}
