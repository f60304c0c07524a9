/**
 * How the process of a command is started, with the options that a job may set.
 *
 * Where the system offers it, an option costs nothing: user, group and umask are set by the spawn itself. What Node cannot
 * set goes through `nice` and `setpriv` in front of the program. Both replace themselves by it: its arguments, process id,
 * session and signals are as if they were not there.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { getPriority } from 'node:os';
import { delimiter, join } from 'node:path';
import type { CommandTask } from '../jobs/index.js';
import type { Account } from './account.js';
import { explainProgram, type StartFailure } from './start-failure.js';

/** What a spawn is given. */
export interface Launch {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** null: where the worker itself was started. */
  readonly cwd: string | null;
  /** null: as the worker. */
  readonly ids: { readonly uid: number; readonly gid: number } | null;
  readonly umask: number | null;
  /** null: nothing to read. */
  readonly stdin: string | null;
}

/** What the job asks for, its templates filled in. */
export interface LaunchRequest extends Pick<CommandTask, 'cwd' | 'umask' | 'nice' | 'stdin'> {
  readonly command: CommandTask['command'];
  readonly env: Readonly<Record<string, string>>;
  readonly account: Account | null;
}

/** Never throws, starts nothing. */
export function planLaunch(request: LaunchRequest): Launch | { readonly failure: StartFailure } {
  const { command, env, cwd, account, umask, stdin } = request;
  const program = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  const nice = niceArgs(request.nice);
  if ('failure' in nice) return nice;
  // `nice` must run as root to serve a command first, so the user is changed behind it.
  const mustChangeBehind = nice.isRootsOnly && account !== null;
  const change = account === null ? null : changeArgs(account);
  if (mustChangeBehind && change === null) {
    const hint = 'Install util-linux on this worker, or take `nice` from the job.';
    return { failure: { message: 'a negative `nice` with `user` needs the program setpriv', hint } };
  }
  const behind = change !== null && (mustChangeBehind || account!.groups.some((gid) => gid !== account!.gid));
  const [file = '', ...args] = [...nice.args, ...(behind ? change : []), ...program];
  if (behind || nice.args.length > 0) {
    // A program in front would tell of a missing one in its own words.
    const missing = explainProgram({ file: program[0] ?? '', cwd, path: env.PATH ?? '' });
    if (missing !== null) return { failure: missing };
  }
  const ids = account === null || behind ? null : { uid: account.uid, gid: account.gid };
  return { file, args, env, cwd, ids, umask, stdin };
}

function niceArgs(
  wanted: number | null,
): { readonly args: readonly string[]; readonly isRootsOnly: boolean } | { readonly failure: StartFailure } {
  const adjustment = wanted === null ? 0 : wanted - getPriority();
  if (adjustment === 0) return { args: [], isRootsOnly: false };
  if (adjustment < 0 && process.getuid?.() !== 0) {
    const message = `this worker cannot run a command with nice ${wanted}: its own is ${getPriority()}, and only root may go below`;
    return { failure: { message, hint: 'Raise `nice` in the job, or run the worker as root.' } };
  }
  const nice = findProgram('nice');
  if (nice !== null) return { args: [nice, '-n', String(adjustment)], isRootsOnly: adjustment < 0 };
  return { failure: { message: 'this worker has no program `nice`', hint: 'Install coreutils on it.' } };
}

/** In front of a program that is to have the account's groups, too; null where there is no such program. */
function changeArgs({ uid, gid, groups }: Account): readonly string[] | null {
  const setpriv = findSetpriv();
  if (setpriv === null) return null;
  return [
    setpriv,
    `--reuid=${uid}`,
    `--regid=${gid}`,
    `--groups=${[...new Set([gid, ...groups])].join(',')}`,
    '--',
  ];
}

const programs = new Map<string, string | null>();

/** The path of a program of the system, whatever PATH the job has. */
function findProgram(name: string): string | null {
  const known = programs.get(name);
  if (known !== undefined) return known;
  const folders = ['/usr/bin', '/bin', ...(process.env.PATH ?? '').split(delimiter)];
  const found = folders.map((folder) => join(folder, name)).find(isExecutable) ?? null;
  programs.set(name, found);
  return found;
}

let setprivPath: string | null | undefined;

/** That of util-linux: a small one, as BusyBox has it, knows nothing of users. */
function findSetpriv(): string | null {
  if (setprivPath !== undefined) return setprivPath;
  const found = findProgram('setpriv');
  try {
    const help = found === null ? '' : execFileSync(found, ['--help'], { encoding: 'utf8', stdio: 'pipe' });
    setprivPath = help.includes('--reuid') && help.includes('--groups') ? found : null;
  } catch {
    setprivPath = null;
  }
  return setprivPath;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
