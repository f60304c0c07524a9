/** What the last line of `etcron dev` sums up. */
import { OUTCOMES, type Outcome } from '../../history/run-record.js';
import { plural } from '../../plural.js';
import type { FeedEvent } from './feed-event.js';
import { briefDuration } from './short-time.js';

export class Tally {
  readonly #outcomes = new Map<Outcome, number>();
  /** How often each lateness, in whole ms, was seen: exact quantiles in bounded memory, however long dev runs. */
  readonly #lateness = new Map<number, number>();
  #leaderChanges = 0;
  #recovered = 0;
  /** Lateness counts for due times after this: nobody was there to start earlier ones in time. */
  #readyMs: number;

  /** @param startMs wall time at which the workers were started */
  constructor(startMs: number) {
    this.#readyMs = startMs;
  }

  add(event: FeedEvent): void {
    if (event.kind === 'ended') {
      const { outcome, latenessMs, manual, attempts } = event.record;
      const inTime = event.id.dueMs > this.#readyMs && !manual;
      this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
      // After a crash it is measured from the due time, and says how long the recovery took.
      if (latenessMs !== null && inTime && attempts === 1) {
        const ms = Math.max(0, Math.round(latenessMs));
        this.#lateness.set(ms, (this.#lateness.get(ms) ?? 0) + 1);
      }
    } else if (event.kind === 'leader') {
      if (event.before === null) this.#readyMs = event.atMs;
      else this.#leaderChanges += 1;
    } else if (event.kind === 'recovered') this.#recovered += 1;
  }

  /** The smallest lateness in ms that at least `share` (0 to 1) of the firings did not exceed; null without any. */
  latenessQuantile(share: number): number | null {
    const sorted = [...this.#lateness].sort(([a], [b]) => a - b);
    const total = sorted.reduce((sum, [, count]) => sum + count, 0);
    let seen = 0;
    for (const [ms, count] of sorted) {
      seen += count;
      if (seen >= share * total) return ms;
    }
    return null;
  }

  /** `42 firings: 40 succeeded, 2 failed; lateness p50 2ms, p99 9ms; 1 takeover, no runs recovered`. */
  summary(): string {
    const total = [...this.#outcomes.values()].reduce((sum, count) => sum + count, 0);
    const parts = OUTCOMES.filter((outcome) => this.#outcomes.has(outcome)).map(
      (outcome) => `${this.#outcomes.get(outcome)} ${outcome}`,
    );
    const [p50, p99] = [this.latenessQuantile(0.5), this.latenessQuantile(0.99)];
    return [
      plural(total, 'firing') + (total === 0 ? '' : `: ${parts.join(', ')}`),
      ...(p50 === null || p99 === null
        ? []
        : [`lateness p50 ${briefDuration(p50)}, p99 ${briefDuration(p99)}`]),
      `${plural(this.#leaderChanges, 'takeover')}, ${plural(this.#recovered, 'run')} recovered`,
    ].join('; ');
  }
}
