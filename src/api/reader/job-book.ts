/**
 * What lists show of each job. Parsing a definition takes a tenth of a millisecond and what comes out of it kilobytes: here a job is
 * parsed once per change, and only what lists need is kept. 10,000 of them are parsed in slices, so that other requests are
 * answered in between.
 */
import { isPausedForGood, pauseAt, scheduleOf, type Job, type Problem } from '../../jobs/index.js';
import type { JobState } from '../../operations/job-state.js';
import type { Schedule } from '../../schedule/index.js';
import { fitsAnybody, whyNobody } from '../../view/eligibility.js';
import type { ClusterView } from '../../view/cluster-view.js';
import { JobEntry } from '../../view/job-entry.js';

/** A job as lists know it. */
export interface JobDigest {
  readonly name: string;
  readonly revision: number;
  /** The first problem of a broken definition. */
  readonly problem: string | null;
  readonly schedule: readonly string[];
  readonly timezone: string | null;
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly kind: Job['task']['kind'] | null;
  readonly limits: readonly string[];
  /** What a search looks through, in lower case. */
  readonly text: string;
  /** When it is due; null for a broken one, one that is done, and one that is paused for good. */
  readonly due: Schedule | null;
  /** When it would be due, were it not paused for good; null where that is not so. */
  readonly dueUnlessPaused: Schedule | null;
  /** Its pause, as written; null without one. */
  readonly pausable: Pick<Job, 'paused' | 'startAt' | 'timezone'> | null;
  /** What it asks of a worker; null when every worker can run it. */
  readonly demanding: Job | null;
}

const SLICE = 100;

export class JobBook {
  readonly #view: ClusterView;
  readonly #digests = new Map<string, JobDigest>();
  readonly #next = new WeakMap<JobDigest, number | null>();
  readonly #stopListening: () => void;
  #names: readonly string[] | null = null;

  constructor(view: ClusterView) {
    this.#view = view;
    this.#stopListening = view.onChange(({ jobs }) => {
      for (const [name, before] of jobs) {
        this.#digests.delete(name);
        if (before === undefined || !view.jobs.has(name)) this.#names = null;
      }
    });
  }

  stop(): void {
    this.#stopListening();
    this.#digests.clear();
  }

  /** All names, in order. */
  get names(): readonly string[] {
    return (this.#names ??= [...this.#view.jobs.keys()].sort());
  }

  /** Reads what is not known yet, letting others have their turn in between. */
  async ready(): Promise<void> {
    let read = 0;
    for (const name of this.names) {
      if (this.#digests.has(name)) continue;
      this.get(name);
      read += 1;
      if (read % SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Undefined where it was not read since it changed. */
  known(name: string): JobDigest | undefined {
    return this.#digests.get(name);
  }

  get(name: string): JobDigest | undefined {
    const known = this.#digests.get(name);
    if (known) return known;
    const entry = this.#view.jobs.get(name);
    if (!entry) return undefined;
    const digest = digestOf(entry);
    this.#digests.set(name, digest);
    return digest;
  }

  /** The next due time after `nowMs`; null: never again. */
  nextDue(digest: JobDigest, nowMs: number): number | null {
    const known = this.#next.get(digest);
    if (known !== undefined && (known === null || known > nowMs)) return known;
    const next = digest.due?.next(nowMs) ?? null;
    this.#next.set(digest, next);
    return next;
  }

  state(digest: JobDigest, nowMs: number): JobState {
    if (digest.problem !== null) return 'broken';
    if (this.pause(digest, nowMs) !== null) return 'paused';
    return this.nextDue(digest, nowMs) === null ? 'done' : 'ok';
  }

  pause({ pausable }: JobDigest, nowMs: number): ReturnType<typeof pauseAt> {
    return pausable && pauseAt(pausable, nowMs);
  }

  /** Why nothing of the job can run, as things are; null when it can. */
  cannotRun({ name, demanding, limits, problem }: JobDigest): string | null {
    if (problem !== null) return null;
    for (const limit of limits) {
      const size = this.#view.limits.get(limit)?.size ?? null;
      if (size === null) return `the limit ${limit} has no size`;
      if (size === 0) return `the limit ${limit} is 0`;
    }
    const job = demanding ?? this.#view.jobs.get(name)?.job;
    if (!job || fitsAnybody(job, workerRecords(this.#view))) return null;
    return whyNobody(job, null, workerRecords(this.#view));
  }
}

function* workerRecords(view: ClusterView) {
  for (const { value } of view.workers.values()) yield value;
}

function problemText({ path, message }: Problem): string {
  return path === '' ? message : `${path}: ${message}`;
}

export function digestOf(entry: JobEntry): JobDigest {
  // A copy is parsed, and what was parsed goes with it.
  const parsed = new JobEntry(entry.name, entry.kv, entry.count);
  const { job } = parsed;
  const { name, modRevision: revision } = entry;
  if (job === null) {
    const [first] = parsed.problems;
    return {
      ...BROKEN,
      name,
      revision,
      problem: first === undefined ? 'is broken' : problemText(first),
      text: name.toLowerCase(),
    };
  }
  const schedule = typeof job.schedule === 'string' ? [job.schedule] : job.schedule;
  const { timezone, description, labels, limits, paused, startAt } = job;
  const isPaused = paused !== false;
  const labelTexts = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
  return {
    ...{ name, revision, problem: null, schedule, timezone, description, labels, limits },
    kind: job.task.kind,
    text: [name, description, ...schedule, ...labelTexts].join('\n').toLowerCase(),
    due: parsed.schedule,
    dueUnlessPaused: isPausedForGood(job) && !parsed.isDone ? scheduleOf(job) : null,
    pausable: isPaused ? { paused, startAt, timezone } : null,
    demanding: fitsAnybody(job, []) ? null : job,
  };
}

const BROKEN: Omit<JobDigest, 'name' | 'revision' | 'text'> = {
  problem: null,
  schedule: [],
  timezone: null,
  description: '',
  labels: {},
  kind: null,
  limits: [],
  due: null,
  dueUnlessPaused: null,
  pausable: null,
  demanding: null,
};
