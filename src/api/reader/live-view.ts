/** A view of the cluster that follows etcd while somebody asks for it. */
import { Mirror } from '../../etcd/mirror.js';
import type { Service } from '../../service.js';
import { ClusterView } from '../../view/cluster-view.js';
import type { ApiContext } from '../context.js';
import { JobBook } from './job-book.js';

export class LiveView implements Service {
  readonly view: ClusterView;
  /** What lists show of each job. */
  readonly jobs: JobBook;
  readonly #main: Mirror;
  readonly #workers: Mirror;

  constructor({ store, keys, clock, log }: ApiContext) {
    this.#main = new Mirror(store, keys.mirrored, { clock, log, name: 'api: schedule' });
    this.#workers = new Mirror(store, keys.mirroredWorkers, { clock, log, name: 'api: workers' });
    // The worker's own view has said so already.
    this.view = new ClusterView(keys, this.#main, this.#workers, () => undefined);
    this.jobs = new JobBook(this.view);
  }

  /** Of the workers, which come by a watch of their own. */
  get workersRevision(): number {
    return this.#workers.revision;
  }

  /** The watches are live; otherwise what is shown may be old. */
  get connected(): boolean {
    return this.#main.connected && this.#workers.connected;
  }

  async start(): Promise<void> {
    await Promise.all([this.#main.start(), this.#workers.start()]);
  }

  async stop(): Promise<void> {
    this.jobs.stop();
    await Promise.all([this.#main.stop(), this.#workers.stop()]);
  }
}
