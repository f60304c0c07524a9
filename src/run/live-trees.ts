import { readProcessesSync } from './process-table.js';
import { isInSession, signalGroup, signalProcess, type ProcessTree } from './process-tree.js';

/** A run of this process whose tree may still have members. */
export interface LiveTree {
  readonly tree: ProcessTree;
  /** Until the main process has been reaped, its group is surely the run's. */
  readonly mainAlive: boolean;
  /** Called before the SIGKILL, so that the run can tell who ended it. */
  onKilled(): void;
}

const liveTrees = new Set<LiveTree>();

/** Puts a run within the reach of `killAllNow` until the returned function is called. */
export function registerLiveTree(tree: LiveTree): () => void {
  liveTrees.add(tree);
  return () => liveTrees.delete(tree);
}

/**
 * SIGKILL to the processes of every run of this worker, sent when this function returns: for a second stop signal and
 * for `process.on('exit')`. It waits for none of them to end. Never throws.
 */
export function killAllNow(): void {
  if (liveTrees.size === 0) return;
  for (const live of liveTrees) {
    live.onKilled();
    if (live.mainAlive) signalGroup(live.tree.processGroupId, 'SIGKILL');
  }
  const trees = Array.from(liveTrees, ({ tree }) => tree);
  for (const found of readProcessesSync()) {
    const isOurs = trees.some((tree) => found.marker === tree.marker || isInSession(found, tree));
    if (isOurs) trySignal(found);
  }
}

function trySignal(found: Parameters<typeof signalProcess>[0]): void {
  try {
    signalProcess(found, 'SIGKILL');
  } catch {
    // Cannot be looked at any more, and there is no later to try again in.
  }
}
