/** One key under `jobs/`, parsed when somebody first asks: a node may mirror 100,000 definitions and need few of them. */
import { isPausedForGood, parseJobValue, scheduleOf } from '../jobs/index.js';
import type { Job, Problem } from '../jobs/index.js';
import type { Schedule } from '../schedule/index.js';
import type { KeyValue } from '../etcd/store.js';
import type { RunCount } from './run-count.js';

export class JobEntry {
  readonly name: string;
  readonly kv: KeyValue;
  /** What the key `counts/<job>` holds, if it exists. */
  readonly count: RunCount | undefined;
  #parsed: { job: Job | null; problems: readonly Problem[] } | null = null;
  #schedule: Schedule | null | undefined;

  constructor(name: string, kv: KeyValue, count?: RunCount) {
    this.name = name;
    this.kv = kv;
    this.count = count;
  }

  /** The same definition with another count. */
  withCount(count: RunCount | undefined): JobEntry {
    const entry = new JobEntry(this.name, this.kv, count);
    entry.#parsed = this.#parsed;
    entry.#schedule = this.#schedule;
    return entry;
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

  /** How many runs counted towards `maxRuns`. */
  get runs(): number {
    const counted = this.count?.value;
    return counted?.job === this.kv.createRevision ? counted.runs : 0;
  }

  /** It has had all its runs. */
  get isDone(): boolean {
    const { job } = this;
    return job !== null && job.maxRuns !== null && this.runs >= job.maxRuns;
  }

  /** What the planner plans from: null when the definition is broken, done, or paused without an end. */
  get schedule(): Schedule | null {
    return this.isDone ? null : this.#definedSchedule();
  }

  #definedSchedule(): Schedule | null {
    if (this.#schedule === undefined) {
      const { job } = this;
      this.#schedule = job === null || isPausedForGood(job) ? null : scheduleOf(job);
    }
    return this.#schedule;
  }

  /** The fingerprint that valid planned firings of this job carry; null when there must be none. */
  get plannedFingerprint(): string | null {
    return this.isDone ? null : this.wantedFingerprint;
  }

  /** The same, of a job that is done as well: its last runs may have been claimed and not begun. */
  get wantedFingerprint(): string | null {
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
