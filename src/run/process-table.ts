/**
 * What Linux tells about the processes of this machine in `/proc`.
 *
 * Costs: a look reads one small file for each process, and environments only when asked. Looks asked for while one is
 * under way share the next one, so that ending a hundred runs at once costs two looks, not a hundred. Process states
 * are read synchronously in slices (a few µs each; the kernel takes no lock that could block), environments
 * asynchronously, since that read waits for the memory lock of a process that may be stuck.
 *
 * A process that is gone, or may not be looked at, counts as absent. Any other failure (no file descriptor left, say)
 * is thrown: "I could not look" must never pass for "nothing is there".
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RUN_MARKER_VARIABLE } from './child-environment.js';

export interface ProcessInfo {
  readonly pid: number;
  readonly processGroupId: number;
  readonly sessionId: number;
  /** In clock ticks since boot: with the pid it names a process for ever. */
  readonly startTicks: number;
}

/** All processes but this one and the zombies, at one moment. */
export interface ProcessTable {
  readonly processes: readonly ProcessInfo[];
  /** The run marker in the environment that the process was started with. */
  markerOf(pid: number): Promise<string | null>;
}

/** False on systems other than Linux. */
export const HAS_PROC = existsSync('/proc/self/stat');

const PROCESSES_PER_SLICE = 64;
/** Its place among the fields after the name. */
const START_TICKS = 19;

let current: Promise<ProcessTable> | null = null;
let following: Promise<ProcessTable> | null = null;

/** A table read after this call; empty where there is no `/proc`. */
export function readProcessTable(): Promise<ProcessTable> {
  if (current === null) {
    current = readTable().finally(() => (current = null));
    return current;
  }
  const readNext = (): Promise<ProcessTable> => {
    following = null;
    return readProcessTable();
  };
  following ??= current.then(readNext, readNext);
  return following;
}

/** The process with this pid, or null when there is none or it is a zombie. */
export function readProcess(pid: number): ProcessInfo | null {
  const fields = readStat(pid);
  const state = fields?.[0];
  if (!fields || state === 'Z' || state === 'X') return null;
  return {
    pid,
    processGroupId: Number(fields[2]),
    sessionId: Number(fields[3]),
    startTicks: Number(fields[START_TICKS]),
  };
}

/** When the process with this pid started, also of a zombie; null when there is none. */
export function readStartTicks(pid: number): number | null {
  const fields = readStat(pid);
  return fields && Number(fields[START_TICKS]);
}

/** Whether this very process is there, be it as a zombie. False where its start is not known or cannot be looked at. */
export function isProcess(pid: number, startTicks: number | null): boolean {
  try {
    return startTicks !== null && readStartTicks(pid) === startTicks;
  } catch {
    return false;
  }
}

/** The fields after the name: see proc(5). */
function readStat(pid: number): string[] | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    return absentUnlessUnexpected(error);
  }
  // The name is in parentheses, and may itself hold spaces and parentheses.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/**
 * The same, for the moment before this process itself ends: blocks, and passes over what it cannot read. Other than in a
 * table, each entry has its marker already.
 */
export function readProcessesSync(): (ProcessInfo & { readonly marker: string | null })[] {
  const pids = HAS_PROC ? readdirSync('/proc').filter(isPid).map(Number) : [];
  return pids.flatMap((pid) => {
    try {
      const found = pid === process.pid ? null : readProcess(pid);
      return found === null ? [] : [{ ...found, marker: markerIn(readFileSync(`/proc/${pid}/environ`)) }];
    } catch {
      return [];
    }
  });
}

async function readTable(): Promise<ProcessTable> {
  const names = HAS_PROC ? (await readdir('/proc')).filter(isPid) : [];
  const processes: ProcessInfo[] = [];
  for (const [index, name] of names.entries()) {
    if (index % PROCESSES_PER_SLICE === PROCESSES_PER_SLICE - 1) await nextTurn();
    const found = readProcess(Number(name));
    if (found !== null && found.pid !== process.pid) processes.push(found);
  }
  const markers = new Map<number, Promise<string | null>>();
  const markerOf = (pid: number): Promise<string | null> => {
    let marker = markers.get(pid);
    if (marker === undefined) markers.set(pid, (marker = readMarker(pid)));
    return marker;
  };
  return { processes, markerOf };
}

async function readMarker(pid: number): Promise<string | null> {
  try {
    return markerIn(await readFile(`/proc/${pid}/environ`));
  } catch (error) {
    return absentUnlessUnexpected(error);
  }
}

/** The value of the marker variable in a NUL-separated environment. */
function markerIn(environ: Buffer): string | null {
  const prefix = `${RUN_MARKER_VARIABLE}=`;
  for (let at = environ.indexOf(prefix); at >= 0; at = environ.indexOf(prefix, at + 1)) {
    if (at > 0 && environ[at - 1] !== 0) continue;
    const end = environ.indexOf(0, at);
    return environ.toString('utf8', at + prefix.length, end < 0 ? environ.length : end);
  }
  return null;
}

function absentUnlessUnexpected(error: unknown): null {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES' || code === 'EPERM') return null;
  throw error;
}

function isPid(name: string): boolean {
  return /^[1-9]\d*$/.test(name);
}
