/** What ended in the last minutes: counted by the minute, failures by name. */
import { duePart, type FiringId } from '../../etcd/keys.js';
import { FAILURES, outcomeReason } from '../../history/outcomes.js';
import type { RunRecord } from '../../history/run-record.js';
import type { TopFailure, TopMinute } from './top-model.js';

export const MINUTES = 5;
const MINUTE_MS = 60_000;
const MAX_FAILURES = 50;
/** Of a minute; where more end, a part stands for all. */
const MAX_SAMPLES = 2_000;

interface Minute {
  runs: number;
  failed: number;
  readonly lateness: number[];
}

export class RecentRuns {
  readonly #minutes = new Map<number, Minute>();
  #failures: TopFailure[] = [];

  add(id: FiringId, record: RunRecord): void {
    const atMs = record.endedAt ?? record.recordedAt;
    const isFailure = FAILURES.includes(record.outcome);
    const minute = this.#minute(Math.floor(atMs / MINUTE_MS));
    minute.runs += 1;
    if (isFailure) minute.failed += 1;
    const { latenessMs, manual } = record;
    // Whoever asks by hand is not late.
    if (latenessMs !== null && !manual) {
      if (minute.lateness.length < MAX_SAMPLES) minute.lateness.push(latenessMs);
      else minute.lateness[minute.runs % MAX_SAMPLES] = latenessMs;
    }
    if (!isFailure) return;
    const runId = `${id.job}/${duePart(id)}`;
    this.#failures = [
      { runId, outcome: record.outcome, atMs, reason: outcomeReason(record) },
      ...this.#failures.filter((one) => one.runId !== runId),
    ]
      .sort((a, b) => b.atMs - a.atMs)
      .slice(0, MAX_FAILURES);
  }

  get failures(): readonly TopFailure[] {
    return this.#failures;
  }

  /** The last ones, those without any run too. */
  minutes(nowMs: number): TopMinute[] {
    const present = Math.floor(nowMs / MINUTE_MS);
    for (const number of this.#minutes.keys()) if (number <= present - MINUTES) this.#minutes.delete(number);
    return Array.from({ length: MINUTES }, (_, index) => {
      const number = present - MINUTES + 1 + index;
      const { runs, failed, lateness } = this.#minutes.get(number) ?? { runs: 0, failed: 0, lateness: [] };
      return { fromMs: number * MINUTE_MS, runs, failed, lateness: percentiles(lateness) };
    });
  }

  #minute(number: number): Minute {
    let minute = this.#minutes.get(number);
    if (minute === undefined) this.#minutes.set(number, (minute = { runs: 0, failed: 0, lateness: [] }));
    return minute;
  }
}

function percentiles(values: readonly number[]): TopMinute['lateness'] {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1]!;
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
