/** When etcd had reached which revision: asked for every few milliseconds, so that history can be put into time afterwards. */
import type { BenchCluster } from './cluster.js';

const EVERY_MS = 10;

export class RevisionClock {
  /** Ascending in both: at `atMs` (wall clock) the revision had been reached. */
  readonly #readings: { readonly atMs: number; readonly revision: number }[] = [];
  readonly #done: Promise<void>;
  #stopped = false;

  constructor(cluster: Pick<BenchCluster, 'revision'>, now: () => number = Date.now) {
    this.#done = this.#run(cluster, now);
  }

  /** When the revision had been reached for certain, wall clock, ms; at most some 10 ms too late. Infinity: not seen. */
  timeOf(revision: number): number {
    return this.#readings.find((reading) => reading.revision >= revision)?.atMs ?? Infinity;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(cluster: Pick<BenchCluster, 'revision'>, now: () => number): Promise<void> {
    while (!this.#stopped) {
      const revision = await cluster.revision();
      this.#readings.push({ atMs: now(), revision });
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  }
}
