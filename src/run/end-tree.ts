/**
 * Ends what is left of a run when the process that started it cannot.
 *
 * Whoever started a process vouches for its group only until it has reaped it, and the dead reap nothing: their orphans are
 * reaped by others, unseen from here, and their ids may be given out again. So the group counts as the run's only while
 * its leader, be it a zombie, is the process that started when we were told. Otherwise only processes that carry the run's
 * marker do. A process that was about to be started is found by a marker, too. The copy of a launcher that becomes a
 * command carries the launcher's marker until it is the command, so a launcher is ended, in the same way, before its runs.
 * The copy of a worker that becomes a command holds the pipe to the watchdog open until it is the command, so the end of
 * the pipe comes after.
 */
import { systemClock, type Clock } from '../clock.js';
import { HAS_PROC, readProcess, readStartTicks } from './process-table.js';
import { groupExists, signalGroup } from './process-tree.js';
import { TreeTermination, type TerminationLog } from './tree-termination.js';
import type { ProcessGroup } from './watchdog/messages.js';
import type { WatchedRun } from './watchdog/watched-state.js';

/** Equal to no id, itself included. */
const NO_GROUP = NaN;

/** SIGKILL to the whole tree. Resolves when it is gone, with whether there was anything to end. Never rejects. */
export async function endTree(
  { marker, group }: WatchedRun,
  log: TerminationLog,
  clock: Clock = systemClock,
): Promise<boolean> {
  const own = group !== null && isStillOurs(group) ? group : null;
  // Without /proc there is no marker to look for either.
  if (own === null && !HAS_PROC) return false;
  const leaderRuns = own !== null && (HAS_PROC ? readProcess(own.id) !== null : groupExists(own.id));
  if (own !== null) signalGroup(own.id, 'SIGKILL');
  const tree = { processGroupId: own?.id ?? NO_GROUP, marker, startTicks: group?.startTicks ?? 0 };
  const termination = new TreeTermination(tree, clock, log);
  termination.mainEnded();
  const found = await termination.begin(0, true);
  return leaderRuns || found > 0;
}

function isStillOurs({ id, startTicks }: ProcessGroup): boolean {
  return !HAS_PROC || (startTicks !== null && readStartTicks(id) === startTicks);
}
