import { spawn, type ChildProcess } from 'node:child_process';
import type { Launch } from '../launch.js';
import { feed, type FailedStart, type MainEnd, type StartedProcess } from '../started-process.js';

/**
 * Starts a command from within the launcher, by the contract of `StartProcess`. It does what `spawnInOwnSession` does
 * through execa, with Node alone: around each start execa takes more than twice the CPU of the start itself, and its
 * modules double the memory that a fork has to copy.
 */
export function leanSpawn({ file, args, env, cwd, ids, umask, stdin }: Launch): StartedProcess | FailedStart {
  // A process inherits it in the call that starts it; nothing else of this process runs meanwhile.
  const ownUmask = umask === null ? null : process.umask(umask);
  try {
    const child = spawn(file, args, {
      env: { ...env },
      ...(cwd === null ? {} : { cwd }),
      ...(ids ?? {}),
      detached: true,
      stdio: [stdin === null ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const failed = new Promise<unknown>((resolve) => child.once('error', resolve));
    const { pid, stdout, stderr } = child as Partial<ChildProcess>;
    if (pid === undefined || !stdout || !stderr) return { error: failed };
    if (stdin !== null) feed(child.stdin, stdin);
    const end = new Promise<MainEnd>((resolve) => {
      child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
    });
    return { pid, stdout, stderr, end };
  } catch (error) {
    return { error: Promise.resolve(error) };
  } finally {
    if (ownUmask !== null) process.umask(ownUmask);
  }
}
