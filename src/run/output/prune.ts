/**
 * Keeps the output of all attempts within its limits: what is too old goes, and of the rest the oldest, until it fits. Age is
 * when something was last written, whatever the due time of a backfilled run.
 *
 * A worker may have kept hundreds of thousands of files, and looks at them on the thread that starts commands: so in small
 * bites, and at those of a folder (a job's day) only when it has changed since the last look.
 */
import { readdir, rmdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dayFolders } from './abandoned.js';
import { parsePartFile } from './place.js';
import type { OutputSettings } from './settings.js';

export interface PruneOptions extends Pick<OutputSettings, 'totalLimitBytes' | 'maxAgeMs'> {
  /** Of workers; the limits are for what all of them hold together. */
  readonly folders: readonly string[];
  /** Wall clock, ms. */
  readonly nowMs: number;
  /** `<run's folder>/<name>.<attempt>-<token>`: what is still written to stays, as long as it may. */
  readonly isLive: (attemptPath: string) => boolean;
  readonly signal?: AbortSignal;
}

export interface Pruned {
  readonly files: number;
  readonly bytes: number;
  /** What is left. */
  readonly keptBytes: number;
}

interface DayFolder {
  readonly path: string;
  /** Of the folder itself: it changes with the files that it has, not with what they hold. */
  readonly changedMs: number;
  bytes: number;
  /** When the last of its files was written to. */
  writtenMs: number;
  oldestMs: number;
}

interface FoundFile {
  readonly path: string;
  readonly attemptPath: string;
  readonly bytes: number;
  readonly writtenMs: number;
}

const FILES_AT_A_TIME = 32;
const PAUSE_MS = 5;
/** What was written to so lately may still be growing. */
const SETTLED_AFTER_MS = 60_000;
const BLOCK_BYTES = 4096;
/** Then it need not be done again with the next file. */
const FILL_TO = 0.9;

export class Pruner {
  #known = new Map<string, DayFolder>();

  /** Rejects with the signal's reason; otherwise what cannot be read or removed is left alone. */
  async prune(options: PruneOptions): Promise<Pruned> {
    const { folders, totalLimitBytes, maxAgeMs, nowMs, signal } = options;
    const days = await this.#look(folders, nowMs, signal);
    let keptBytes = days.reduce((sum, { bytes }) => sum + bytes, 0);
    const goal = keptBytes > totalLimitBytes ? totalLimitBytes * FILL_TO : Infinity;
    let files = 0;
    let bytes = 0;
    days.sort((a, b) => a.writtenMs - b.writtenMs);
    for (const day of days) {
      const isOver = keptBytes > goal;
      if (!isOver && nowMs - day.oldestMs <= maxAgeMs) continue;
      const found = await filesIn(day.path, signal);
      found.sort((a, b) => a.writtenMs - b.writtenMs);
      for (const file of found) {
        if (keptBytes <= goal && nowMs - file.writtenMs <= maxAgeMs) break;
        if (options.isLive(file.attemptPath)) continue;
        if (!(await removed(unlink(file.path)))) continue;
        this.#known.delete(day.path);
        files += 1;
        bytes += file.bytes;
        keptBytes -= file.bytes;
        if (files % FILES_AT_A_TIME === 0) await sleep(PAUSE_MS, undefined, { signal });
      }
      // Only where nothing is left in it.
      if (await removed(rmdir(day.path))) await removed(rmdir(join(day.path, '..')));
    }
    return { files, bytes, keptBytes };
  }

  async #look(
    folders: readonly string[],
    nowMs: number,
    signal: AbortSignal | undefined,
  ): Promise<DayFolder[]> {
    const known = new Map<string, DayFolder>();
    for (const folder of folders) {
      for (const path of await dayFolders(folder)) {
        const changedMs = (await statOf(path))?.mtimeMs;
        if (changedMs === undefined) continue;
        const before = this.#known.get(path);
        const isSame = before?.changedMs === changedMs && nowMs - before.writtenMs > SETTLED_AFTER_MS;
        known.set(path, isSame ? before : sumUp(path, changedMs, await filesIn(path, signal)));
      }
    }
    this.#known = known;
    return [...known.values()];
  }
}

function sumUp(path: string, changedMs: number, files: readonly FoundFile[]): DayFolder {
  const day: DayFolder = { path, changedMs, bytes: BLOCK_BYTES, writtenMs: -Infinity, oldestMs: Infinity };
  for (const { bytes, writtenMs } of files) {
    day.bytes += bytes;
    day.writtenMs = Math.max(day.writtenMs, writtenMs);
    day.oldestMs = Math.min(day.oldestMs, writtenMs);
  }
  return day;
}

async function filesIn(path: string, signal: AbortSignal | undefined): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  const names = (await readdir(path).catch(() => [])).filter((name) => parsePartFile(name) !== null);
  for (let from = 0; from < names.length; from += FILES_AT_A_TIME) {
    if (from > 0) await sleep(PAUSE_MS, undefined, { signal });
    const some = names.slice(from, from + FILES_AT_A_TIME);
    const stats = await Promise.all(some.map((name) => statOf(join(path, name))));
    stats.forEach((facts, index) => {
      if (facts === null) return;
      const file = join(path, some[index]!);
      const attemptPath = file.replace(/\.\d+\.log$/, '');
      // What it takes on the disk: a line takes a block, too.
      const bytes = Math.ceil(facts.size / BLOCK_BYTES) * BLOCK_BYTES;
      found.push({ path: file, attemptPath, bytes, writtenMs: facts.mtimeMs });
    });
  }
  return found;
}

function statOf(path: string): Promise<{ size: number; mtimeMs: number } | null> {
  return stat(path).catch(() => null);
}

function removed(removing: Promise<void>): Promise<boolean> {
  return removing.then(
    () => true,
    () => false,
  );
}
