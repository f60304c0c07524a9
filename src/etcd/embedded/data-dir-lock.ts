/**
 * One etcron at a time per data folder. etcd has a lock of its own, but waits for it in silence; this one says at once
 * who is in the way. It is a file that names its owner's process; the file of a process that is gone is taken over, so
 * a crash leaves nothing to clean up. Two processes that take over the same stale file at the same moment are left to
 * etcd's own lock.
 */
import { readFile, rm, writeFile } from 'node:fs/promises';

interface Owner {
  pid: number;
  /** Tells the process from a later one with the same id; null where the system does not say. */
  started: string | null;
}

export type LockAttempt =
  | { readonly acquired: true; readonly release: () => Promise<void> }
  | { readonly acquired: false; readonly ownerPid: number };

/** Takes the lock, or says which living process holds it; that can be this one. */
export async function lockDataDir(lockFile: string): Promise<LockAttempt> {
  const self: Owner = { pid: process.pid, started: (await statOf(process.pid))?.started ?? null };
  for (;;) {
    try {
      await writeFile(lockFile, JSON.stringify(self), { flag: 'wx' });
      return { acquired: true, release: () => rm(lockFile, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = await readOwner(lockFile);
    if (owner && (await isAlive(owner))) return { acquired: false, ownerPid: owner.pid };
    await rm(lockFile, { force: true });
  }
}

/** Null for a file that its owner did not get to write before it died. */
async function readOwner(lockFile: string): Promise<Owner | null> {
  try {
    const owner = JSON.parse(await readFile(lockFile, 'utf8')) as Partial<Owner> | null;
    return typeof owner?.pid === 'number' ? { pid: owner.pid, started: owner.started ?? null } : null;
  } catch {
    return null;
  }
}

async function isAlive(owner: Owner): Promise<boolean> {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM: it lives, and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const stat = await statOf(owner.pid);
  if (stat === null || owner.started === null) return true;
  return stat.started === owner.started && stat.state !== 'Z';
}

/** From `/proc/<pid>/stat` (proc(5)): the state, and the start in ticks since boot. Null without `/proc`. */
async function statOf(pid: number): Promise<{ state: string; started: string } | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (stat === null) return null;
  // The second field is the program's name in parentheses, and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0]!, started: fields[19]! };
}
