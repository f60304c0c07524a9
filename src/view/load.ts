import type { ClusterView } from './cluster-view.js';

/** The weight of what a node has claimed and runs. */
export function loadOf(view: ClusterView, nodeId: string): number {
  let load = 0;
  for (const { id } of view.firingsByNode.get(nodeId)?.values() ?? [])
    load += view.jobs.get(id.job)?.job?.weight ?? 1;
  return load;
}
