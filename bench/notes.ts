/**
 * What a handler itself tells about its starts, in a file that etcron knows nothing of: one record of four numbers for each
 * start, and one that begins with NaN for each time that somebody asked the worker to write down what it has.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface StartNote {
  /** The number that the job's name ends with. */
  readonly job: number;
  readonly dueMs: number;
  readonly attempt: number;
  /** By the worker's clock, ms with fractions. */
  readonly latenessMs: number;
}

export const NUMBERS_PER_NOTE = 4;
const BYTES_PER_NOTE = NUMBERS_PER_NOTE * Float64Array.BYTES_PER_ELEMENT;
const ANSWER_WITHIN_MS = 30_000;
const POLL_MS = 20;

/** The number that a job's name ends with. */
export function numberOf(job: string): number {
  return Number(/\d+$/.exec(job)?.[0] ?? NaN);
}

/** The job's number and the due time, which name a firing among those of one scenario. */
export function firingKey(job: number, dueMs: number): string {
  return `${job}@${dueMs}`;
}

/** Complete records only: a worker that was killed may have left a part of one. */
export function parseNotes(bytes: Uint8Array): { notes: StartNote[]; marks: number } {
  const count = Math.floor(bytes.byteLength / BYTES_PER_NOTE);
  const numbers = new Float64Array(bytes.slice(0, count * BYTES_PER_NOTE).buffer);
  const notes: StartNote[] = [];
  for (let at = 0; at < numbers.length; at += NUMBERS_PER_NOTE) {
    const [job, dueMs, attempt, latenessMs] = numbers.subarray(at, at + NUMBERS_PER_NOTE);
    if (!Number.isNaN(job))
      notes.push({ job: job!, dueMs: dueMs!, attempt: attempt!, latenessMs: latenessMs! });
  }
  return { notes, marks: count - notes.length };
}

/** None while there is no file. */
export async function readNotes(file: string): Promise<{ notes: StartNote[]; marks: number }> {
  return parseNotes(await readFile(file).catch(() => new Uint8Array()));
}

/** Has the worker write down what it has, and returns all of it. */
export async function askForNotes(file: string, pid: number): Promise<StartNote[]> {
  const { marks } = await readNotes(file);
  process.kill(pid, 'SIGUSR2');
  const giveUpAt = performance.now() + ANSWER_WITHIN_MS;
  for (;;) {
    const found = await readNotes(file);
    if (found.marks > marks) return found.notes;
    if (performance.now() > giveUpAt) throw new Error(`worker ${pid} did not tell its starts in time`);
    await sleep(POLL_MS);
  }
}

/** Attempts that started twice, and starts before the due time. */
export function faultsOf(notes: readonly StartNote[]): string[] {
  const seen = new Set<string>();
  const faults: string[] = [];
  for (const { job, dueMs, attempt, latenessMs } of notes) {
    const name = `job ${job}, ${new Date(dueMs).toISOString()}, attempt ${attempt}`;
    const key = `${firingKey(job, dueMs)}@${attempt}`;
    if (seen.has(key)) faults.push(`started twice: ${name}`);
    seen.add(key);
    // The two clocks of a process differ by less.
    if (latenessMs < -CLOCKS_AGREE_MS) faults.push(`started early: ${name} (${(-latenessMs).toFixed(1)} ms)`);
  }
  return faults;
}

/** `Date.now()`, which etcron goes by, shows whole milliseconds; what is noted is finer, and set by it once. */
const CLOCKS_AGREE_MS = 1;
