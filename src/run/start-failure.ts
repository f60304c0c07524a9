import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { messageOf } from '../errors.js';

export interface StartFailure {
  /** What could not be started, and why. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

export interface StartRequest {
  readonly file: string;
  readonly cwd: string | null;
  readonly path: string;
  /** As whom it was to run, where that is not the worker's own user. */
  readonly user?: string | undefined;
}

/**
 * Says why a process could not be started. The system reports a missing working directory, a missing command and a
 * missing interpreter of a script with one and the same error, so this looks which of them it is.
 */
export function explainStartFailure(error: unknown, request: StartRequest): StartFailure {
  const code: string = (error as NodeJS.ErrnoException | null)?.code ?? '';
  const { user, file, cwd } = request;
  switch (code) {
    case 'EPERM':
      if (user === undefined) return unexplained(error, request);
      return {
        message: `this worker may not run a command as ${user}`,
        hint: 'It runs as root without the rights of root (CAP_SETUID, CAP_SETGID); give it these.',
      };
    case 'ENOENT':
    case 'ENOTDIR':
    case 'EACCES':
      if (code === 'EACCES' && user !== undefined) {
        const place = cwd === null ? '' : ` in ${quote(cwd)}`;
        const message = `the user ${user} may not execute ${quote(file)}${place}`;
        return explainMissing(request) ?? { message, hint: 'Give that user the right to enter and execute.' };
      }
      return explainMissing(request) ?? unexplained(error, request);
    case 'E2BIG':
      return {
        message: 'the command, its arguments and its environment are too long for the system',
        hint: 'Hand large values over in a file. On Linux one argument or variable may have 128 KiB.',
      };
    case 'EMFILE':
    case 'ENFILE':
      return {
        message: `the ${code === 'EMFILE' ? 'worker' : 'machine'} has no file descriptor left to start a command`,
        hint: 'Raise the limit (`ulimit -n`, LimitNOFILE= in systemd) or run fewer commands at a time.',
      };
    case 'EAGAIN':
    case 'ENOMEM':
      return {
        message: `the machine has no ${code === 'EAGAIN' ? 'process slot' : 'memory'} left to start a command`,
        hint: 'Raise the limit (`ulimit -u`, TasksMax= in systemd, pids.max of the container) or run fewer commands at a time.',
      };
    case 'ENAMETOOLONG':
      return { message: 'the name of the command or of its working directory is too long for the system' };
    case 'ERR_INVALID_ARG_VALUE':
      return { message: `the command cannot be started: ${messageOf(error)}` };
    default:
      return unexplained(error, request);
  }
}

function unexplained(error: unknown, { file }: StartRequest): StartFailure {
  return { message: `the command ${quote(file)} cannot be started: ${messageOf(error)}` };
}

/** null when the files changed, or cannot be looked at, so that no explanation is better than a wrong one. */
function explainMissing(request: StartRequest): StartFailure | null {
  try {
    return explainCwd(request.cwd) ?? explainFile(request) ?? explainLoader(request);
  } catch {
    return null;
  }
}

function explainCwd(cwd: string | null): StartFailure | null {
  if (cwd === null) return null;
  try {
    if (!statSync(cwd).isDirectory()) {
      return {
        message: `the working directory ${quote(cwd)} is not a directory`,
        hint: "Correct the job's `cwd`.",
      };
    }
    accessSync(cwd, constants.X_OK);
    return null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') {
      const message = `the worker may not enter the working directory ${quote(cwd)}`;
      return { message, hint: 'Give the user that the worker runs as the right to enter it.' };
    }
    const message = `the working directory ${quote(cwd)} does not exist`;
    return { message, hint: "Create it on this worker or correct the job's `cwd`." };
  }
}

/** Why the worker cannot execute a program; null where it can, or where the files cannot be looked at. */
export function explainProgram(request: StartRequest): StartFailure | null {
  try {
    return explainFile(request);
  } catch {
    return null;
  }
}

function explainFile({ file, cwd, path }: StartRequest): StartFailure | null {
  const found = locate(file, cwd ?? '.', path);
  if (found === null) {
    return file.includes('/')
      ? {
          message: `the command ${quote(file)} does not exist`,
          hint: 'Install it on this worker or correct the path.',
        }
      : {
          message: `the command ${quote(file)} is not in the PATH of the job (${path})`,
          hint: 'Install it on this worker, write its full path, or set PATH in the `env` of the job.',
        };
  }
  if (statSync(found).isDirectory()) return { message: `the command ${quote(file)} is a directory` };
  if (!isExecutable(found)) {
    const message = `the worker may not execute ${quote(found)}`;
    return { message, hint: `Make it executable: chmod +x ${found}` };
  }
  return null;
}

/** A program that is there and executable was refused nevertheless. */
function explainLoader({ file, cwd, path, user }: StartRequest): StartFailure | null {
  const found = locate(file, cwd ?? '.', path);
  // What the worker may execute, another user may not be allowed to.
  if (found === null || user !== undefined) return null;
  const interpreter = interpreterOf(found);
  return interpreter === null
    ? { message: `the system cannot execute ${quote(found)}: it or a loader that it needs is missing` }
    : {
        message: `the interpreter ${quote(interpreter)}, named in the first line of ${quote(found)}, cannot be executed`,
        hint: 'Install it on this worker or correct the first line of the script.',
      };
}

function locate(file: string, cwd: string, path: string): string | null {
  const candidates = file.includes('/')
    ? [resolve(cwd, file)]
    : path.split(delimiter).map((directory) => resolve(cwd, join(directory || '.', file)));
  return candidates.find(isExecutable) ?? candidates.find((candidate) => existsSync(candidate)) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function interpreterOf(path: string): string | null {
  const start = Buffer.alloc(256);
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return null;
  }
  try {
    const length = readSync(descriptor, start);
    return /^#![ \t]*(\S+)/.exec(start.toString('utf8', 0, length))?.[1] ?? null;
  } finally {
    closeSync(descriptor);
  }
}

function quote(text: string): string {
  return JSON.stringify(text);
}
