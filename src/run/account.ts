import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Clock } from '../clock.js';
import type { StartFailure } from './start-failure.js';

/** As whom a command runs. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** All groups of the user; those besides `gid` are the supplementary ones. */
  readonly groups: readonly number[];
  /** null for a number that this system has no name for, and where only the group is another. */
  readonly name: string | null;
  /** null: that of the worker. */
  readonly home: string | null;
}

/** `account` is null where the command runs as the worker itself does. */
export type AccountLookup =
  | { readonly ok: true; readonly account: Account | null }
  | { readonly ok: false; readonly failure: StartFailure };

/** The user and group ids that the worker runs with. */
export interface WorkerIds {
  readonly uid: number;
  readonly gid: number;
}

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Answers are kept for so long: a job of every second shall not ask a directory service each time. */
const KEPT_MS = 60_000;
/** A directory service that does not answer keeps the whole worker waiting. */
const LOOKUP_LIMIT_MS = 2_000;

const kept = new Map<string, { readonly account: Account | null; readonly atMs: number }>();

/**
 * Finds what the names or numbers of a job's `user` and `group` mean on this machine. Only root can be somebody else; any
 * other worker may be asked for what it is anyway.
 */
export function findAccount(
  user: string | null,
  group: string | null,
  clock: Clock,
  worker: WorkerIds = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 },
): AccountLookup {
  if (user === null && group === null) return { ok: true, account: null };
  const key = [user, group, worker.uid, worker.gid].join(':');
  const known = kept.get(key);
  const nowMs = clock.monotonicMs();
  if (known !== undefined && nowMs - known.atMs < KEPT_MS) return { ok: true, account: known.account };
  const found = lookUp(user, group, worker);
  if (found.ok) kept.set(key, { account: found.account, atMs: nowMs });
  return found;
}

function lookUp(user: string | null, group: string | null, worker: WorkerIds): AccountLookup {
  const entry = user === null ? findUser(String(worker.uid)) : findUser(user);
  const uid = entry?.uid ?? (user === null ? worker.uid : numberOf(user));
  if (uid === null) return failure(`this worker's machine has no user ${user}`, CREATE_IT);
  const gid = group === null ? (user === null ? worker.gid : (entry?.gid ?? null)) : findGroup(group);
  if (group !== null && gid === null)
    return failure(`this worker's machine has no group ${group}`, CREATE_IT);
  if (worker.uid !== 0) {
    // Its own user is what it is, whatever group it was started with.
    const isItself = uid === worker.uid && (group === null || gid === worker.gid);
    return isItself ? { ok: true, account: null } : notRoot(user, group, worker);
  }
  if (gid === null) {
    const message = `this worker's machine has no user ${user}, and so no group for it`;
    return failure(message, 'Add `group` to the job.');
  }
  if (user === null) return { ok: true, account: { uid, gid, groups: [gid], name: null, home: null } };
  if (entry === null) return { ok: true, account: { uid, gid, groups: [gid], name: null, home: '/' } };
  const { name, home } = entry;
  return { ok: true, account: { uid, gid, groups: groupsOf(entry), name, home } };
}

function notRoot(user: string | null, group: string | null, { uid }: WorkerIds): AccountLookup {
  const wanted = [user === null ? '' : `user ${user}`, group === null ? '' : `group ${group}`];
  const asked = wanted.filter((part) => part !== '').join(' and ');
  const message = `this worker cannot run a command as ${asked}: it does not run as root itself (uid ${uid})`;
  return failure(message, 'Run the worker as root, or as that user; or take this from the job.');
}

const CREATE_IT = 'Create it on every worker that may run the job, or correct the job.';

function failure(message: string, hint: string): AccountLookup {
  return { ok: false, failure: { message, hint } };
}

function findUser(wanted: string): User | null {
  const [name, , uid, gid, , home] = findLine('passwd', wanted) ?? [];
  const [uidNumber, gidNumber] = [numberOf(uid ?? ''), numberOf(gid ?? '')];
  if (name === undefined || uidNumber === null || gidNumber === null) return null;
  return { name, uid: uidNumber, gid: gidNumber, home: home === undefined || home === '' ? '/' : home };
}

function findGroup(wanted: string): number | null {
  return numberOf(findLine('group', wanted)?.[2] ?? '') ?? numberOf(wanted);
}

/** An entry by name or else by number: of the file, or of whatever else the system is set up to ask. */
function findLine(database: 'passwd' | 'group', wanted: string): string[] | null {
  const entries = readLines(`/etc/${database}`);
  return (
    entries.find(([name]) => name === wanted) ??
    entries.find(([, , id]) => id === wanted) ??
    ask('getent', [database, wanted])?.split('\n')[0]?.split(':') ??
    null
  );
}

function readLines(file: string): string[][] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.filter((line) => line.includes(':')).map((line) => line.split(':'));
  } catch {
    return [];
  }
}

function groupsOf({ name, gid }: User): number[] {
  const numbers = ask('id', ['-G', '--', name])?.trim().split(/\s+/).map(Number) ?? [];
  return numbers.length > 0 && numbers.every(Number.isInteger) ? numbers : [gid];
}

/** What a program says, or null where it is missing, fails or finds nothing. */
function ask(program: string, args: readonly string[]): string | null {
  try {
    const options = { encoding: 'utf8', timeout: LOOKUP_LIMIT_MS } as const;
    return execFileSync(program, args, { ...options, stdio: ['ignore', 'pipe', 'ignore'] }) || null;
  } catch {
    return null;
  }
}

function numberOf(text: string): number | null {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1 ? Number(text) : null;
}
