/** Whether the peer started each run once: the pure part. */
import type { Figures } from '../scenario.js';
import { spread } from '../statistics.js';

export interface StartNote {
  /** Of BullMQ's job. */
  readonly id: string;
  /** Wall clock, ms. */
  readonly dueMs: number;
  readonly startedMs: number;
}

/** The due time of a run that a job scheduler made: the last part of `repeat:<scheduler>:<due, ms>`. */
export function dueOfJob(id: string): number {
  return Number(id.slice(id.lastIndexOf(':') + 1));
}

/**
 * Lateness of the first start of each expected run, and how many were lost, doubled or early. Starts of others, such as those
 * before the measured stretch, do not count.
 */
export function judgeStarts(expected: ReadonlySet<string>, starts: readonly StartNote[]): Figures {
  const first = new Map<string, number>();
  let doubled = 0;
  for (const { id, dueMs, startedMs } of starts) {
    if (!expected.has(id)) continue;
    const latenessMs = startedMs - dueMs;
    const known = first.get(id);
    if (known !== undefined) doubled += 1;
    first.set(id, Math.min(known ?? Infinity, latenessMs));
  }
  const latenessesMs = [...first.values()];
  return {
    ...spread('lateness', latenessesMs),
    lost: expected.size - first.size,
    doubled,
    early: latenessesMs.filter((latenessMs) => latenessMs < 0).length,
  };
}
