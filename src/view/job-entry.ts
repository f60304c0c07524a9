/**
 * One key under `jobs/`, parsed when somebody first asks: a node may mirror 100,000 definitions and need few of them. When
 * it is due can be told before that, and whether it is broken without keeping what was parsed.
 */
import { isPausedForGood, parseJobValue, peekDefinition, peekSchedule, scheduleOf } from '../jobs/index.js';
import type { Job, Problem } from '../jobs/index.js';
import type { Schedule } from '../schedule/index.js';
import type { KeyValue } from '../etcd/store.js';
import type { RunCount } from './run-count.js';

export class JobEntry {
  readonly name: string;
  readonly kv: KeyValue;
  /** What the key `counts/<job>` holds, if it exists. */
  readonly count: RunCount | undefined;
  #parsed: Parsed | null = null;
  #peeked: Schedule | null = null;
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

  /** Why the definition is broken; empty for a sound one, which is not kept parsed because of this question. */
  get problems(): readonly Problem[] {
    if (this.#parsed !== null) return this.#parsed.problems;
    const parsed = parseValue(this.name, this.kv);
    if (parsed.job === null) this.#parsed = parsed;
    return parsed.problems;
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

  /**
   * What `schedule` is if the definition is sound, told without parsing it where that is possible. Before anything is
   * planned by it `schedule` must be asked.
   */
  get expectedSchedule(): Schedule | null {
    if (this.#parsed !== null) return this.schedule;
    if (this.#peeked === null) {
      const definition = peekDefinition(this.kv.value);
      this.#peeked = definition && peekSchedule(this.name, definition);
    }
    return this.#peeked ?? this.schedule;
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

  #parse(): Parsed {
    return (this.#parsed ??= parseValue(this.name, this.kv));
  }
}

interface Parsed {
  readonly job: Job | null;
  readonly problems: readonly Problem[];
}

const NO_PROBLEMS: readonly Problem[] = [];

function parseValue(name: string, { value }: KeyValue): Parsed {
  const result = parseJobValue(name, value);
  return result.ok ? { job: result.job, problems: NO_PROBLEMS } : { job: null, problems: result.problems };
}
