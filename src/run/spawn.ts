import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ChildProcess } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type * as Execa from 'execa';
import { lazyModule } from '../lazy-module.js';
import type { Launch } from './launch.js';
import { feed, type FailedStart, type MainEnd, type StartedProcess } from './started-process.js';

/** A worker starts its commands through its launcher, and seldom without. */
const execaModule = lazyModule<typeof Execa>('execa');

/** Starts a command from within the worker, by the contract of `StartProcess`. */
export function spawnInOwnSession({
  file,
  args,
  env,
  cwd,
  ids,
  umask,
  stdin,
}: Launch): StartedProcess | FailedStart {
  // Where the system has no file descriptor left, execa throws while Node is about to emit 'error' on a process object
  // that nobody holds, which would end the worker. Node announces each such object here first.
  const failure = deferred();
  const onCreated = (message: unknown): void => {
    (message as { process: ChildProcess }).process.once('error', failure.resolve);
  };
  subscribe('child_process', onCreated);
  // A process inherits it in the call that starts it; nothing else of the worker's code runs meanwhile.
  const workersUmask = umask === null ? null : process.umask(umask);
  try {
    const child = execaModule().execa(file, args, {
      env: { ...env },
      extendEnv: false,
      ...(cwd === null ? {} : { cwd }),
      ...(ids ?? {}),
      detached: true,
      cleanup: false,
      stdin: stdin === null ? 'ignore' : 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      buffer: false,
      encoding: 'buffer',
      reject: false,
      verbose: 'none',
    });
    if (child.pid === undefined) return { error: child.then((result) => result.cause ?? result) };
    child.catch(() => {});
    if (stdin !== null) feed(child.stdin, stdin);
    const end = new Promise<MainEnd>((resolve) => {
      child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
    });
    return { pid: child.pid, stdout: child.stdout, stderr: child.stderr, end };
  } catch (error) {
    return { error: Promise.race([failure.promise, nextTurn(error)]) };
  } finally {
    if (workersUmask !== null) process.umask(workersUmask);
    unsubscribe('child_process', onCreated);
  }
}

function deferred(): { promise: Promise<unknown>; resolve: (value: unknown) => void } {
  let resolve!: (value: unknown) => void;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}
