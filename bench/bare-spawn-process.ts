/**
 * The baseline: a Node process that does nothing but spawn a command at a given moment, as a worker does it (same
 * options), without a scheduler. Talks to `bare-spawners.ts` over IPC and ends with it.
 */
import { spawn } from 'node:child_process';

export interface SpawnOrder {
  /** Wall clock, ms. */
  readonly atMs: number;
  readonly count: number;
  /** How many may live at once. */
  readonly concurrency: number;
}

export interface SpawnReport {
  /** Of each: the time at which `spawn` had returned − `atMs`. */
  readonly latenessMs: readonly number[];
  /** When the last one had ended − `atMs`. */
  readonly endedMs: number;
}

process.on('message', (order: SpawnOrder) => void carryOut(order).then((report) => process.send?.(report)));
process.on('disconnect', () => process.exit());

async function carryOut({ atMs, count, concurrency }: SpawnOrder): Promise<SpawnReport> {
  await until(atMs);
  const latenessMs: number[] = [];
  await new Promise<void>((resolve) => {
    let ended = 0;
    const startOne = (): void => {
      const child = spawn('/bin/true', [], {
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: true,
        env: { PATH: process.env.PATH },
      });
      latenessMs.push(Date.now() - atMs);
      child.stdout.resume();
      child.stderr.resume();
      child.on('close', () => {
        ended += 1;
        if (latenessMs.length < count) startOne();
        else if (ended === count) resolve();
      });
    };
    for (let index = 0; index < Math.min(count, concurrency); index += 1) startOne();
  });
  return { latenessMs, endedMs: Date.now() - atMs };
}

/** Timers may fire up to a millisecond before their time on the wall clock. */
function until(atMs: number): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      const remainingMs = atMs - Date.now();
      if (remainingMs <= 0) resolve();
      else setTimeout(check, remainingMs);
    };
    check();
  });
}
