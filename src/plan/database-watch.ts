/** The leader says once when etcd's database comes near its quota, when it reaches it, and when there is room again. */
import type { Clock } from '../clock.js';
import { messageOf } from '../errors.js';
import { databaseProblem } from '../etcd/database-size.js';
import type { Store } from '../etcd/store.js';
import type { Logger } from '../telemetry/logger.js';

export interface DatabaseWatchContext {
  readonly store: Pick<Store, 'status'>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Hundreds of megabytes do not come within a minute. */
const LOOK_EVERY_MS = 60_000;

export class DatabaseWatch {
  readonly #context: DatabaseWatchContext;
  #lookedAt = -Infinity;
  #said: 'room' | 'near' | 'full' = 'room';

  constructor(context: DatabaseWatchContext) {
    this.#context = context;
  }

  /** Asks etcd now and then, however often it is called. Never rejects: one that does not answer is told elsewhere. */
  async look(): Promise<void> {
    const { store, clock, log } = this.#context;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = nowMs;
    try {
      const problem = databaseProblem(await store.status());
      const state = problem === null ? 'room' : problem.isFull ? 'full' : 'near';
      if (state === this.#said) return;
      this.#said = state;
      if (problem === null) log.info("etcd's database has room again");
      else if (problem.isFull) log.error(problem.message);
      else log.warn(problem.message);
    } catch (error) {
      log.debug({ err: messageOf(error) }, 'etcd did not say how large its database is');
    }
  }
}
