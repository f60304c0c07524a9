/** Whether a cluster can work, and what somebody should look at. */
import type { DatabaseProblem } from '../etcd/database-size.js';
import { plural } from '../plural.js';

export interface ClusterFacts {
  readonly database: DatabaseProblem | null;
  readonly hasLeader: boolean;
  readonly activeWorkers: number;
  /** Node ids of workers whose clocks are off. */
  readonly skewed: readonly string[];
  /** Jobs that no worker can run. */
  readonly unplaceable: number;
  /** Names of limits without a size that something waits for. */
  readonly limitsWithoutSize: readonly string[];
}

/** Sentences, the worst first. `healthy`: somebody leads, there is an active worker, and etcd takes writes. */
export function clusterProblems(facts: ClusterFacts): { healthy: boolean; problems: string[] } {
  const { database, hasLeader, activeWorkers, skewed, unplaceable, limitsWithoutSize } = facts;
  const grave = [
    ...(database?.isFull ? [database.message] : []),
    ...(hasLeader ? [] : ['nobody leads: due times are not planned']),
    ...(activeWorkers === 0 ? ['there is no active worker: nothing runs'] : []),
  ];
  return {
    healthy: grave.length === 0,
    problems: [
      ...grave,
      ...(database !== null && !database.isFull ? [database.message] : []),
      ...skewed.map((node) => `the clock of ${node} is off: it takes nothing until that is mended`),
      ...(unplaceable === 0 ? [] : [`no worker can run ${plural(unplaceable, 'job')}: see above`]),
      ...limitsWithoutSize.map(
        (name) => `the limit ${name} has no size: nothing runs under it ("etcron limits set ${name} <size>")`,
      ),
    ],
  };
}
