/** One key under `jobs/`, parsed when somebody first asks: a node may mirror 100,000 definitions and need few of them. */
import { isPausedForGood, parseJobValue, scheduleOf } from '../jobs/index.js';
import type { Job, Problem } from '../jobs/index.js';
import type { Schedule } from '../schedule/index.js';
import type { KeyValue } from '../etcd/store.js';

export class JobEntry {
  readonly name: string;
  readonly kv: KeyValue;
  #parsed: { job: Job | null; problems: readonly Problem[] } | null = null;
  #schedule: Schedule | null | undefined;

  constructor(name: string, kv: KeyValue) {
    this.name = name;
    this.kv = kv;
  }

  get modRevision(): number {
    return this.kv.modRevision;
  }

  /** The definition, or null when it is broken: then `problems` says why. */
  get job(): Job | null {
    return this.#parse().job;
  }

  get problems(): readonly Problem[] {
    return this.#parse().problems;
  }

  /** What the planner plans from: null when the definition is broken, or paused without an end. */
  get schedule(): Schedule | null {
    if (this.#schedule === undefined) {
      const { job } = this;
      this.#schedule = job === null || isPausedForGood(job) ? null : scheduleOf(job);
    }
    return this.#schedule;
  }

  /** The fingerprint that valid planned firings of this job carry; null when there must be none. */
  get plannedFingerprint(): string | null {
    const { job } = this;
    return job === null || isPausedForGood(job) ? null : job.fingerprint;
  }

  #parse(): { job: Job | null; problems: readonly Problem[] } {
    if (this.#parsed === null) {
      const result = parseJobValue(this.name, this.kv.value);
      this.#parsed = result.ok ? { job: result.job, problems: [] } : { job: null, problems: result.problems };
    }
    return this.#parsed;
  }
}
