/**
 * Each node says of each definition that is broken why it does not run, once for each time that it is written.
 *
 * Those that change while the node looks on are judged at once. Of many (100,000, when a node starts) the rest is judged a
 * few at a time, on a hundredth of a core: nothing waits for it, since whoever plans or runs a job parses its
 * definition anyway.
 */
import type { Clock, Timer } from '../clock.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView, ViewChanges } from '../view/cluster-view.js';

export interface BrokenJobsContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly view: ClusterView;
}

const AT_ONCE = 200;
const LATER_AT_ONCE = 20;
/** A hundredth of the time, however long one takes: 25 µs on a fast machine. */
const LATER_FOR_MS = 1;
const PAUSE_MS = 100;

export class BrokenJobs {
  readonly #context: BrokenJobsContext;
  readonly #unjudged = new Set<string>();
  readonly #broken = new Set<string>();
  #timer: Timer | null = null;

  constructor(context: BrokenJobsContext) {
    this.#context = context;
    context.view.onChange((changes) => this.#onView(changes));
  }

  /** How many are broken, of those that were judged. */
  get count(): number {
    return this.#broken.size;
  }

  stop(): void {
    this.#unjudged.clear();
    this.#timer?.cancel();
    this.#timer = null;
  }

  #onView({ jobs }: ViewChanges): void {
    for (const [name, before] of jobs) {
      const now = this.#context.view.jobs.get(name);
      if (now === undefined) this.#broken.delete(name);
      // Its count of runs may have changed alone.
      if (now !== undefined && now.modRevision !== before?.modRevision) this.#unjudged.add(name);
    }
    if (this.#timer === null) this.#judge(AT_ONCE, Infinity);
  }

  #judge(count: number, forMs: number): void {
    const { clock, log, view } = this.#context;
    const untilMs = clock.monotonicMs() + forMs;
    let left = count;
    for (const name of this.#unjudged) {
      if (left === 0 || clock.monotonicMs() > untilMs) break;
      left -= 1;
      this.#unjudged.delete(name);
      const problems = view.jobs.get(name)?.problems ?? [];
      if (problems.length === 0) this.#broken.delete(name);
      else this.#broken.add(name);
      for (const problem of problems)
        log.warn({ job: name, ...problem }, 'this job is broken and does not run');
    }
    if (this.#unjudged.size === 0) return;
    this.#timer = clock.setTimer(PAUSE_MS, () => {
      this.#timer = null;
      this.#judge(LATER_AT_ONCE, LATER_FOR_MS);
    });
  }
}
