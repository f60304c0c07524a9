/**
 * How the files of an attempt are called: `<job>/<day>/<time>[+suffix].<attempt>-<fencing token>.<number>.log`, below the folder
 * of the worker. A folder holds the due times of one day, which bounds how much there is to look through; the numbers of a
 * file's parts begin with 0.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { duePart, parseRunId } from '../../etcd/keys.js';
import type { AttemptFacts } from './settings.js';

const FILE = /^(.+)\.(\d{1,9})-(\d{1,20})\.(\d{1,9})\.log$/s;

/** File systems take 255 bytes; the attempt, the token and the number follow. */
const MAX_NAME_BYTES = 180;
const HASH_LENGTH = 32;

/** The folder of a run, and what the names of its files begin with. Null for what is no run id. */
export function placeOf(folder: string, runId: string): { folder: string; name: string } | null {
  const id = parseRunId(runId);
  if (id === null) return null;
  const due = duePart(id);
  const day = due.slice(0, 10);
  return { folder: join(folder, id.job, day), name: safeName(due.slice(11)) };
}

/** Without the number of the part. */
export function attemptName(name: string, { attempt, fencingToken }: AttemptFacts): string {
  return `${name}.${attempt}-${fencingToken}`;
}

export function partFile(attempt: string, part: number): string {
  return `${attempt}.${part}.log`;
}

export interface PartName {
  /** See `placeOf`. */
  readonly name: string;
  readonly attempt: number;
  readonly fencingToken: string;
  readonly part: number;
}

/** Null for files that etcron did not make. */
export function parsePartFile(file: string): PartName | null {
  const [, name, attempt, fencingToken, part] = FILE.exec(file) ?? [];
  if (name === undefined || fencingToken === undefined) return null;
  return { name, attempt: Number(attempt), fencingToken, part: Number(part) };
}

/** A suffix may hold anything, also what no file name may hold. */
function safeName(text: string): string {
  const escaped = encodeURIComponent(text.replace(/\p{Cs}/gu, '\ufffd'))
    .replaceAll('%3A', ':')
    .replaceAll('%2B', '+');
  if (escaped.length <= MAX_NAME_BYTES) return escaped;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH);
  return `${escaped.slice(0, MAX_NAME_BYTES - HASH_LENGTH - 1)}~${hash}`;
}
