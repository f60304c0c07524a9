/**
 * Says which due times were not started in time. After an outage they are those of thousands of jobs, and a line for each
 * would drown what the reader of the log looks for: the first of a pass are told one by one, the rest in one line.
 */
import type { Logger } from '../telemetry/logger.js';

const TOLD_ONE_BY_ONE = 20;

export interface Misfired {
  readonly job: string;
  readonly policy: string;
  /** How many due times are run late, and how many are recorded as missed. */
  readonly run: number;
  readonly missed: number;
}

export class MisfireReport {
  readonly #log: Logger;
  #told = 0;
  #rest = { jobs: 0, run: 0, missed: 0 };

  constructor(log: Logger) {
    this.#log = log;
  }

  add(misfired: Misfired): void {
    if (this.#told < TOLD_ONE_BY_ONE) {
      this.#told += 1;
      return this.#log.warn(misfired, 'due times were not started in time');
    }
    const { jobs, run, missed } = this.#rest;
    this.#rest = { jobs: jobs + 1, run: run + misfired.run, missed: missed + misfired.missed };
  }

  /** At the end of a pass. */
  close(): void {
    if (this.#rest.jobs > 0) this.#log.warn(this.#rest, 'due times of more jobs were not started in time');
    this.#told = 0;
    this.#rest = { jobs: 0, run: 0, missed: 0 };
  }
}
