import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ChildProcess } from 'node:child_process';
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { execa } from 'execa';

export interface StartedProcess {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves in the turn in which the process is reaped; its output may still be open then. */
  readonly end: Promise<MainEnd>;
}

export interface MainEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** What kept a process from starting. */
export interface FailedStart {
  readonly error: Promise<unknown>;
}

/**
 * Starts a process as the leader of a session and process group of its own: no stdin, pipes for its output, exactly
 * this environment, nothing buffered. Never throws and leaves no rejected promise.
 */
export function spawnInOwnSession(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string | null,
): StartedProcess | FailedStart {
  // Where the system has no file descriptor left, execa throws while Node is about to emit 'error' on a process object
  // that nobody holds, which would end the worker. Node announces each such object here first.
  const failure = deferred();
  const onCreated = (message: unknown): void => {
    (message as { process: ChildProcess }).process.once('error', failure.resolve);
  };
  subscribe('child_process', onCreated);
  try {
    const child = execa(file, args, {
      env: { ...env },
      extendEnv: false,
      ...(cwd === null ? {} : { cwd }),
      detached: true,
      cleanup: false,
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
      buffer: false,
      encoding: 'buffer',
      reject: false,
      verbose: 'none',
    });
    if (child.pid === undefined) return { error: child.then((result) => result.cause ?? result) };
    child.catch(() => {});
    const end = new Promise<MainEnd>((resolve) => {
      child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
    });
    return { pid: child.pid, stdout: child.stdout, stderr: child.stderr, end };
  } catch (error) {
    return { error: Promise.race([failure.promise, nextTurn(error)]) };
  } finally {
    unsubscribe('child_process', onCreated);
  }
}

function deferred(): { promise: Promise<unknown>; resolve: (value: unknown) => void } {
  let resolve!: (value: unknown) => void;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
