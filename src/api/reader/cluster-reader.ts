/** What the API knows of the cluster, and how it comes to know it: nothing is read or watched before somebody asks. */
import { messageOf } from '../../errors.js';
import type { EndpointStatus } from '../../etcd/store.js';
import type { ApiContext } from '../context.js';
import { LazyService } from '../lazy-service.js';
import { stalest } from './freshness.js';
import { LiveView } from './live-view.js';
import { RunFeed } from './run-feed.js';

export interface EtcdStatus {
  readonly members: readonly EndpointStatus[];
  /** Why etcd does not answer; null when it does. */
  readonly problem: string | null;
}

/** The status of etcd's members does not change faster than people look. */
const STATUS_MS = 2_000;
const STATUS_DEADLINE_MS = 3_000;

export class ClusterReader {
  readonly #context: ApiContext;
  readonly live: LazyService<LiveView>;
  readonly feed: LazyService<RunFeed>;
  #status: { readonly untilMs: number; readonly answer: Promise<EtcdStatus> } | null = null;

  constructor(context: ApiContext) {
    this.#context = context;
    this.live = new LazyService(() => new LiveView(context), context.clock);
    this.feed = new LazyService(() => new RunFeed(context), context.clock);
  }

  /** Since when answers may be old, in ms: the watches are not live. Null while they are, and while there are none. */
  get staleSinceMs(): number | null {
    return stalest(this.live.current?.staleSinceMs, this.feed.current?.staleSinceMs);
  }

  /** Never rejects. */
  etcdStatus(): Promise<EtcdStatus> {
    const { store, clock } = this.#context;
    const nowMs = clock.monotonicMs();
    if (this.#status === null || nowMs >= this.#status.untilMs) {
      const answer = store.status({ deadlineMs: STATUS_DEADLINE_MS }).then(
        (members): EtcdStatus => ({ members, problem: null }),
        (error: unknown): EtcdStatus => ({ members: [], problem: messageOf(error) }),
      );
      this.#status = { untilMs: nowMs + STATUS_MS, answer };
    }
    return this.#status.answer;
  }

  async close(): Promise<void> {
    await Promise.all([this.live.close(), this.feed.close()]);
  }
}
