/**
 * What becomes different by the clock alone: nobody writes to etcd when the pause of a job ends, when its last due time has
 * passed, or when a firing becomes late. So somebody has to look now and then, and compare with what was the case before.
 */
import { firingState } from '../../operations/firing-state.js';
import type { JobState } from '../../operations/job-state.js';
import type { JobDigest } from '../reader/job-book.js';
import type { LiveView } from '../reader/live-view.js';

export interface ChangedByClock {
  readonly jobs: readonly string[];
  /** Run ids of those that are late now. */
  readonly firings: readonly string[];
}

export class ClockChanges {
  readonly #live: LiveView;
  readonly #states = new Map<string, { readonly digest: JobDigest; readonly state: JobState }>();
  #late: ReadonlySet<string> = new Set();

  constructor(live: LiveView) {
    this.#live = live;
  }

  /** What is different since the last look; what changed in etcd meanwhile is left out. */
  look(nowMs: number): ChangedByClock {
    return { jobs: this.#jobs(nowMs), firings: this.#firings(nowMs) };
  }

  #jobs(nowMs: number): string[] {
    const { jobs } = this.#live;
    const changed: string[] = [];
    for (const name of jobs.names) {
      // Those that nobody has read yet wait for whoever does.
      const digest = jobs.known(name);
      if (!digest) continue;
      const state = jobs.state(digest, nowMs);
      const before = this.#states.get(name);
      if (before?.digest === digest && before.state === state) continue;
      if (before?.digest === digest) changed.push(name);
      this.#states.set(name, { digest, state });
    }
    if (this.#states.size > jobs.names.length) {
      const { view } = this.#live;
      for (const name of this.#states.keys()) if (!view.jobs.has(name)) this.#states.delete(name);
    }
    return changed;
  }

  #firings(nowMs: number): string[] {
    const { view } = this.#live;
    const late = new Set<string>();
    for (const [runId, firing] of view.firings)
      if (firingState(firing, view.workers, nowMs) === 'late') late.add(runId);
    const changed = [...late].filter((runId) => !this.#late.has(runId));
    this.#late = late;
    return changed;
  }
}
