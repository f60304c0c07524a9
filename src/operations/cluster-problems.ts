/** Whether a cluster can work, and what somebody should look at. */
import type { DatabaseProblem } from '../etcd/database-size.js';
import { plural } from '../plural.js';

/** So many names stand in a sentence; the others are counted. */
const NAMED = 3;

export interface ClusterFacts {
  readonly database: DatabaseProblem | null;
  readonly hasLeader: boolean;
  readonly activeWorkers: number;
  /** Node ids of workers whose clocks are off. */
  readonly skewed: readonly string[];
  /** Names of jobs that cannot run as things are: no worker fits, or a limit lets nothing through. */
  readonly cannotRun: readonly string[];
  /** Names of limits without a size that something waits for. */
  readonly limitsWithoutSize: readonly string[];
}

/** Sentences, the worst first. `healthy`: somebody leads, there is an active worker, and etcd takes writes. */
export function clusterProblems(facts: ClusterFacts): { healthy: boolean; problems: string[] } {
  const { database, hasLeader, activeWorkers, skewed, cannotRun, limitsWithoutSize } = facts;
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
      ...(cannotRun.length === 0
        ? []
        : [`${plural(cannotRun.length, 'job')} cannot run as things are: ${shortened(cannotRun)}`]),
      ...limitsWithoutSize.map(
        (name) => `the limit ${name} has no size: nothing runs under it ("etcron limits set ${name} <size>")`,
      ),
    ],
  };
}

function shortened(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
