/** A view of the cluster that follows etcd while somebody asks for it. */
import { Mirror } from '../../etcd/mirror.js';
import type { KeyRange } from '../../etcd/store.js';
import type { Service } from '../../service.js';
import { ClusterView } from '../../view/cluster-view.js';
import type { ApiContext } from '../context.js';
import { Freshness, stalest } from './freshness.js';
import { JobBook } from './job-book.js';

export class LiveView implements Service {
  readonly view: ClusterView;
  /** What lists show of each job. */
  readonly jobs: JobBook;
  readonly #main: Mirror;
  readonly #workers: Mirror;
  readonly #freshness: readonly Freshness[];

  constructor({ store, keys, clock, log }: ApiContext) {
    const mirror = (range: KeyRange, name: string): [Mirror, Freshness] => {
      const freshness = new Freshness(clock);
      const onConnection = (connected: boolean): void => freshness.connected(connected);
      const one = new Mirror(store, range, { clock, log, name, onConnection });
      one.onChange(() => freshness.heard());
      return [one, freshness];
    };
    const [main, ofMain] = mirror(keys.mirrored, 'api: schedule');
    const [workers, ofWorkers] = mirror(keys.mirroredWorkers, 'api: workers');
    this.#main = main;
    this.#workers = workers;
    this.#freshness = [ofMain, ofWorkers];
    // The worker's own view has said so already.
    this.view = new ClusterView(keys, this.#main, this.#workers, () => undefined);
    this.jobs = new JobBook(this.view);
  }

  /** Of the workers, which come by a watch of their own. */
  get workersRevision(): number {
    return this.#workers.revision;
  }

  /** Since when what is shown may be old, in ms; null while the watches are live. */
  get staleSinceMs(): number | null {
    return stalest(...this.#freshness.map(({ staleSinceMs }) => staleSinceMs));
  }

  async start(): Promise<void> {
    await Promise.all([this.#main.start(), this.#workers.start()]);
  }

  async stop(): Promise<void> {
    this.jobs.stop();
    await Promise.all([this.#main.stop(), this.#workers.stop()]);
  }
}
