/**
 * What the commands themselves tell about their starts, in a file that etcron knows nothing of. The clock is read by bash
 * (5.0 or newer), which needs no further process for it.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { FIND_WORKER_BASH } from '../test/support/worker-pid.js';

export interface Start {
  readonly runId: string;
  readonly attempt: number;
  /** The worker that started it. */
  readonly workerPid: number;
  /** Wall clock, ms with fractions. */
  readonly atMs: number;
}

const POLL_MS = 20;
// The time first: what it takes to find out the worker is not the start's.
const NOTE = `at=$EPOCHREALTIME
${FIND_WORKER_BASH}
echo "$ETCRON_RUN_ID $ETCRON_ATTEMPT $worker $at" >> "$EVIDENCE"`;

/** The part of a job by which its command notes its start in `file` and then runs `then`. */
export function notingCommand(file: string, then = ''): { command: string[]; env: Record<string, string> } {
  // The clock's decimal separator is the locale's.
  return { command: ['/bin/bash', '-c', `${NOTE}\n${then}`], env: { EVIDENCE: file, LC_ALL: 'C' } };
}

/** Complete lines only: the last one may still be on its way. */
export function parseStarts(text: string): Start[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => {
    const [runId = '', attempt, workerPid, seconds] = line.split(' ');
    return {
      runId,
      attempt: Number(attempt),
      workerPid: Number(workerPid),
      atMs: Number(seconds) * 1000,
    };
  });
}

/** None while there is no file. */
export async function readStarts(file: string): Promise<Start[]> {
  return parseStarts(await readFile(file, 'utf8').catch(() => ''));
}

/** Waits until the starts are what `isEnough` wants, at most `withinMs`; returns those that there are then. */
export async function startsWhen(
  file: string,
  isEnough: (starts: readonly Start[]) => boolean,
  withinMs: number,
): Promise<Start[]> {
  const giveUpAt = performance.now() + withinMs;
  for (;;) {
    const starts = await readStarts(file);
    if (isEnough(starts) || performance.now() > giveUpAt) return starts;
    await sleep(POLL_MS);
  }
}

/** What is wrong with the starts as such: an attempt that started twice. */
export function repeatedStarts(starts: readonly Start[]): string[] {
  const seen = new Set<string>();
  return starts.flatMap(({ runId, attempt }) => {
    const name = `${runId}, attempt ${attempt}`;
    if (seen.has(name)) return [`started twice: ${name}`];
    seen.add(name);
    return [];
  });
}
