/**
 * Finds the processes of a run and signals them.
 *
 * A command starts as the leader of a session and a process group of its own. Most of what it starts stays there, but a
 * process may leave with `setsid` or a double fork. What it cannot easily shed is the environment it was started with:
 * on Linux the marker variable in `/proc/<pid>/environ` tells whose child it was. Out of reach remain processes that
 * left the session *and* cleaned or overwrote their environment, and those of another user.
 *
 * A pid may have been given to another process between look and signal; the start time tells them apart, and is
 * compared right before each signal. A group or session id cannot be given out again while it has a member.
 *
 * Without `/proc` (macOS) only the group is known: one entry with the negative group id as its pid stands for it.
 */
import { HAS_PROC, readProcess, readProcessTable, type ProcessInfo } from './process-table.js';

/** What is known about the tree of one run. */
export interface ProcessTree {
  /** The pid of the main process, which is also the id of its group and of its session. */
  readonly processGroupId: number;
  readonly marker: string;
  /** Start of the main process; nothing older belongs to the tree. */
  readonly startTicks: number;
}

export type SignalOutcome =
  | 'sent'
  | 'gone'
  /** It belongs to another user. */
  | 'denied';

/** The processes whose environment carries this marker, by pid; empty where there is no `/proc`. */
export async function findMarkedProcesses(marker: string): Promise<number[]> {
  const table = await readProcessTable();
  const found: number[] = [];
  for (const { pid } of table.processes) if ((await table.markerOf(pid)) === marker) found.push(pid);
  return found;
}

/** The living processes of the run's session and group and, with `marked`, all others that carry its marker. */
export async function findTree(tree: ProcessTree, marked: boolean): Promise<ProcessInfo[]> {
  if (!HAS_PROC) return groupExists(tree.processGroupId) ? [groupAsProcess(tree.processGroupId)] : [];
  const table = await readProcessTable();
  const found: ProcessInfo[] = [];
  for (const candidate of table.processes) {
    if (candidate.startTicks < tree.startTicks) continue;
    if (isInSession(candidate, tree) || (marked && (await table.markerOf(candidate.pid)) === tree.marker)) {
      found.push(candidate);
    }
  }
  return found;
}

/** A shell with job control gives each background job a group of its own, in the same session. */
export function isInSession(candidate: ProcessInfo, tree: ProcessTree): boolean {
  return candidate.processGroupId === tree.processGroupId || candidate.sessionId === tree.processGroupId;
}

/** Whether the group has a member, be it a zombie. One system call. */
export function groupExists(processGroupId: number): boolean {
  return sendSignal(-processGroupId, 0) !== 'gone';
}

/** Whether this very process still runs; a zombie does not. */
export function isAlive(known: ProcessInfo): boolean {
  if (known.pid < 0) return groupExists(-known.pid);
  return readProcess(known.pid)?.startTicks === known.startTicks;
}

/** Signals this very process, never one that has since got its pid. */
export function signalProcess(known: ProcessInfo, signal: NodeJS.Signals): SignalOutcome {
  return isAlive(known) ? sendSignal(known.pid, signal) : 'gone';
}

/** Signals a whole group. The caller vouches that it is still the run's, as it surely is until its leader is reaped. */
export function signalGroup(processGroupId: number, signal: NodeJS.Signals): SignalOutcome {
  return sendSignal(-processGroupId, signal);
}

function sendSignal(pid: number, signal: NodeJS.Signals | 0): SignalOutcome {
  try {
    process.kill(pid, signal);
    return 'sent';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? 'denied' : 'gone';
  }
}

function groupAsProcess(processGroupId: number): ProcessInfo {
  return { pid: -processGroupId, processGroupId, sessionId: processGroupId, startTicks: 0 };
}
