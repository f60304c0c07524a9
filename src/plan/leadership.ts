/** Everything that a node does because it leads, for one term. */
import type { Term } from '../election/election.js';
import { Expander } from './expander.js';
import { Housekeeping, type HousekeepingOptions } from './housekeeping.js';
import { LeaderWriter } from './leader-writer.js';
import { Planner } from './planner.js';
import type { PlannerContext } from './planner-context.js';
import { Unplaceable } from './unplaceable.js';

export interface LeadershipContext extends PlannerContext {
  readonly housekeeping: HousekeepingOptions;
}

export class Leadership {
  readonly #planner: Planner;
  readonly #housekeeping: Housekeeping;
  readonly #expander: Expander;
  readonly #unplaceable: Unplaceable;
  readonly #abort = new AbortController();

  constructor(context: LeadershipContext, term: Term) {
    this.#planner = new Planner(context, term);
    // Its writes do not move the cursor, so it needs no cursor revision.
    const writer = new LeaderWriter({ ...context, signal: this.#abort.signal }, term.createRevision, 0);
    this.#housekeeping = new Housekeeping({ ...context, options: context.housekeeping, writer });
    this.#expander = new Expander({ ...context, writer });
    this.#unplaceable = new Unplaceable(context);
  }

  start(): void {
    this.#planner.start();
    this.#housekeeping.start();
    this.#expander.start();
    this.#unplaceable.start();
  }

  /** Trust came back, or something else calls for a look at the schedule now. */
  poke(): void {
    this.#planner.poke();
  }

  /** Names of the jobs that no worker can run. */
  get unplaceableJobs(): Iterable<string> {
    return this.#unplaceable.jobs;
  }

  async stop(): Promise<void> {
    this.#unplaceable.stop();
    this.#abort.abort(new Error('no longer leader'));
    await Promise.all([this.#planner.stop(), this.#housekeeping.stop(), this.#expander.stop()]);
  }
}
