import type { Keys } from '../etcd/keys.js';
import type { Operation } from '../etcd/store.js';
import { decodeRun, type Outcome } from '../history/run-record.js';

/** What a leader's write comes to. */
export interface LeaderWrites {
  readonly planned: number;
  /** Of the records of runs, with how many due times each stands for. */
  readonly recorded: readonly { readonly outcome: Outcome; readonly dueTimes: number }[];
}

/** Counts firings and records among the operations of a leader's transaction. */
export function countWrites(keys: Keys, operations: readonly Operation[]): LeaderWrites {
  let planned = 0;
  const recorded: { outcome: Outcome; dueTimes: number }[] = [];
  for (const operation of operations) {
    if (operation.type !== 'put') continue;
    if (operation.key.startsWith(keys.firings)) planned += isExpanded(operation.value) ? 0 : 1;
    else if (operation.key.startsWith(keys.runs)) {
      const run = decodeRun({ value: Buffer.from(operation.value) });
      if (run.ok) recorded.push({ outcome: run.value.outcome, dueTimes: run.value.missed?.count ?? 1 });
    }
  }
  return { planned, recorded };
}

/** It was there before, and now stands for one on each worker; those are counted. */
function isExpanded(firing: string | Buffer): boolean {
  return firing.includes('"expanded":');
}
