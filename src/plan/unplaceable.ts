/**
 * The leader says of each job that no worker can run so and why, when that begins and when it ends.
 *
 * All jobs are looked at when a term begins and when what the workers can do changes. So that this weighs little with
 * 100,000 of them, they are looked at some at a time; what a job asks of a worker is peeked at, judged once for all jobs that
 * ask the same, and only a job that is to be told of is parsed.
 */
import type { Clock, Timer } from '../clock.js';
import { isPausedForGood, peekDefinition, type Job } from '../jobs/index.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView, ViewChanges } from '../view/cluster-view.js';
import type { JobEntry } from '../view/job-entry.js';
import { abilitiesOf, fitsAnybody, whyNobody } from '../view/eligibility.js';

export interface UnplaceableContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly view: ClusterView;
}

/** Workers come one after another when a cluster starts, and a restart takes a moment. */
const SETTLE_MS = 5_000;
/** So many jobs are looked at in one go, some 5 µs each. */
const AT_ONCE = 1_000;
const PAUSE_MS = 100;
/** Besides the time to wait: what a job asks of a worker. */
const ASKING = ['handler', 'target', 'weight'] as const;

export class Unplaceable {
  readonly #context: UnplaceableContext;
  /** What was said last, by job. */
  readonly #said = new Map<string, string>();
  #abilities = '';
  readonly #changedJobs = new Set<string>();
  /** By what a job asks: why no worker can run it. Holds for the abilities of now. */
  readonly #verdicts = new Map<string, string | null>();
  #timer: Timer | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(context: UnplaceableContext) {
    this.#context = context;
  }

  /** Those that it was said of. */
  get jobs(): Iterable<string> {
    return this.#said.keys();
  }

  start(): void {
    const { view } = this.#context;
    this.#unsubscribe = view.onChange((changes) => this.#onView(changes));
    this.#lookLater();
  }

  stop(): void {
    this.#unsubscribe?.();
    this.#timer?.cancel();
    this.#timer = null;
  }

  #onView({ jobs, workers }: ViewChanges): void {
    for (const name of jobs.keys()) this.#changedJobs.add(name);
    if (jobs.size > 0 || (workers.size > 0 && this.#abilitiesNow() !== this.#abilities)) this.#lookLater();
  }

  #lookLater(): void {
    this.#timer ??= this.#context.clock.setTimer(SETTLE_MS, () => {
      this.#timer = null;
      this.#look();
    });
  }

  #abilitiesNow(): string {
    return JSON.stringify(abilitiesOf(this.#context.view.workers.values()));
  }

  #look(): void {
    const { view, clock } = this.#context;
    const abilities = this.#abilitiesNow();
    if (abilities !== this.#abilities) {
      this.#abilities = abilities;
      this.#verdicts.clear();
      for (const name of view.jobs.keys()) this.#changedJobs.add(name);
    }
    let left = AT_ONCE;
    for (const name of this.#changedJobs) {
      if (left === 0) break;
      left -= 1;
      this.#changedJobs.delete(name);
      this.#lookAt(name);
    }
    if (this.#changedJobs.size > 0) {
      this.#timer ??= clock.setTimer(PAUSE_MS, () => {
        this.#timer = null;
        this.#look();
      });
      return;
    }
    for (const name of this.#said.keys()) if (!view.jobs.has(name)) this.#said.delete(name);
  }

  #lookAt(name: string): void {
    const { view, log } = this.#context;
    const entry = view.jobs.get(name);
    const why = entry === undefined ? null : this.#whyNobody(entry);
    if (why === (this.#said.get(name) ?? null)) return;
    if (why === null) {
      this.#said.delete(name);
      if (entry?.job) log.info({ job: name }, 'a worker can run this job now');
    } else {
      this.#said.set(name, why);
      log.warn({ job: name, why }, 'no worker can run this job');
    }
  }

  #whyNobody(entry: JobEntry): string | null {
    const definition = peekDefinition(entry.kv.value);
    const asked = definition && JSON.stringify(ASKING.map((field) => definition[field] ?? null));
    const known = asked === null ? undefined : this.#verdicts.get(asked);
    if (known === null) return null;
    const { job } = entry;
    if (job === null || isPausedForGood(job)) return null;
    const why = known ?? this.#judge(job);
    if (asked !== null) this.#verdicts.set(asked, why);
    return why;
  }

  #judge(job: Job): string | null {
    const workers = [...this.#context.view.workers.values()].map(({ value }) => value);
    if (fitsAnybody(job, workers)) return null;
    return whyNobody(job, null, workers);
  }
}
