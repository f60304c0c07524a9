/** The leader says of each job that no worker can run so and why, when that begins and when it ends. */
import type { Clock, Timer } from '../clock.js';
import { isPausedForGood } from '../jobs/index.js';
import type { Logger } from '../telemetry/logger.js';
import type { ClusterView, ViewChanges } from '../view/cluster-view.js';
import { abilitiesOf, fitsAnybody, whyNobody } from '../view/eligibility.js';

export interface UnplaceableContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly view: ClusterView;
}

/** Workers come one after another when a cluster starts, and a restart takes a moment. */
const SETTLE_MS = 5_000;

export class Unplaceable {
  readonly #context: UnplaceableContext;
  /** What was said last, by job. */
  readonly #said = new Map<string, string>();
  #abilities = '';
  #changedJobs = new Set<string>();
  #timer: Timer | null = null;
  #unsubscribe: (() => void) | null = null;

  constructor(context: UnplaceableContext) {
    this.#context = context;
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
    const { view } = this.#context;
    const abilities = this.#abilitiesNow();
    const names = abilities === this.#abilities ? this.#changedJobs : view.jobs.keys();
    this.#abilities = abilities;
    this.#changedJobs = new Set();
    for (const name of names) this.#lookAt(name);
    for (const name of this.#said.keys()) if (!view.jobs.has(name)) this.#said.delete(name);
  }

  #lookAt(name: string): void {
    const { view, log } = this.#context;
    const job = view.jobs.get(name)?.job ?? null;
    const isAsking = job !== null && !fitsAnybody(job) && !isPausedForGood(job);
    const why = isAsking
      ? whyNobody(
          job,
          null,
          [...view.workers.values()].map(({ value }) => value),
        )
      : null;
    if (why === (this.#said.get(name) ?? null)) return;
    if (why === null) {
      this.#said.delete(name);
      if (job !== null) log.info({ job: name }, 'a worker can run this job now');
    } else {
      this.#said.set(name, why);
      log.warn({ job: name, why }, 'no worker can run this job');
    }
  }
}
