/**
 * Folders of workers whose names nobody uses any more: a machine that was renamed, a container that has another name with each
 * start. Their own workers never come back to keep them within limits, so others on the machine do.
 *
 * A worker that runs touches a file in its folder with each look. A folder where that is long ago, or that has no such file and
 * nothing new in it, belongs to nobody. A worker that was only stopped loses nothing that is within the limits.
 */
import { readdir, rmdir, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { JOB_NAME_PATTERN } from '../../etcd/keys.js';

const IN_USE_FILE = '.in-use';
/** Six looks of a worker that runs. */
const UNUSED_AFTER_MS = 60 * 60_000;
const DAY = /^\d{4}-\d\d-\d\d$/;

/** Says that a worker lives whose folder this is. Where the folder is not there yet there is nothing to say. Never rejects. */
export async function touchFolder(folder: string, nowMs: number): Promise<void> {
  const file = join(folder, IN_USE_FILE);
  const at = new Date(nowMs);
  try {
    await writeFile(file, '', { flag: 'a', mode: 0o600 });
    await utimes(file, at, at);
  } catch {
    // It keeps nothing, or cannot.
  }
}

/** Those beside `own`. Never rejects. */
export async function abandonedFolders(own: string, nowMs: number): Promise<string[]> {
  const parent = dirname(own);
  const abandoned: string[] = [];
  for (const name of await foldersIn(parent)) {
    if (name === basename(own)) continue;
    const folder = join(parent, name);
    const touchedMs = await modifiedMs(join(folder, IN_USE_FILE));
    const usedMs = touchedMs ?? (await newestChange(folder));
    if (usedMs !== null && nowMs - usedMs > UNUSED_AFTER_MS) abandoned.push(folder);
  }
  return abandoned;
}

/** What nothing is left in. Never rejects. */
export async function removeIfEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => ['unknown']);
  if (names.some((name) => name !== IN_USE_FILE)) return;
  await unlink(join(folder, IN_USE_FILE)).catch(() => undefined);
  await rmdir(folder).catch(() => undefined);
}

/** Folders of a job's day in it, and nothing that somebody else has put there. */
export async function dayFolders(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const job of await foldersIn(folder)) {
    if (!JOB_NAME_PATTERN.test(job)) continue;
    for (const day of await foldersIn(join(folder, job)))
      if (DAY.test(day)) found.push(join(folder, job, day));
  }
  return found;
}

/** Null where there is no output of etcron at all. */
async function newestChange(folder: string): Promise<number | null> {
  let newestMs: number | null = null;
  for (const day of await dayFolders(folder))
    newestMs = Math.max(newestMs ?? 0, (await modifiedMs(day)) ?? 0);
  return newestMs;
}

async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

function modifiedMs(path: string): Promise<number | null> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => null,
  );
}
