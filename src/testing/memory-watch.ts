/**
 * One watch of an in-memory client. It is in one of four states:
 *
 *  - disconnected: nothing arrives; the client's resume point (the revision after the last delivered event) stands.
 *  - catching up: whole revisions are read from the server's past, a batch at a time.
 *  - synced: the server hands over each revision as it is made; compaction can no longer hurt.
 *  - over: closed by the caller, or lost because the resume point was compacted before the watch could catch up.
 *
 * Calls to the listener are always made from a turn of their own, never inside the call that caused the event. As in
 * etcd the resume point knows nothing of revisions without events in the range, so a quiet watch that loses its
 * connection may come back as lost although it missed nothing.
 *
 * What the server sends comes in responses, which the client turns into events by the same code as on a real connection:
 * `wire` makes one come again, as after a stream that was opened anew, or in pieces.
 */
import type { Clock, Timer } from '../clock.js';
import type { KeyRange, Watch, WatchEvent, WatchListener } from '../etcd/store.js';
import type { Change, MemoryEtcd } from './memory-etcd.js';
import { WatchResponses, revisionOf } from '../etcd/watch-responses.js';
import { compacted, unreachable } from './refusals.js';
import { covers } from './txn-rules.js';

/** etcd's `watchBatchMaxRevs`. */
export const CATCH_UP_REVISIONS = 1000;

/** How a batch comes over the wire: in one response, behind what came before it once more, or in as many as possible. */
export type Wire = 'plain' | 'repeated' | 'in pieces';

export interface MemoryWatchOptions {
  readonly clock: Clock;
  /** How long the next delivery is under way, in ms of the server's clock. */
  readonly delayMs: () => number;
  /** Asked per delivery. */
  readonly wire: () => Wire;
  readonly onEnd: () => void;
}

export class MemoryWatch implements Watch {
  private state: 'disconnected' | 'catching-up' | 'synced' | 'over' = 'disconnected';
  /** What the listener was last told about the connection; null before the first time. */
  private toldConnected: boolean | null = null;
  private readonly responses: WatchResponses;
  /** What came last, for coming again. */
  private sent: readonly WatchEvent[] = [];
  /** The next revision to read while catching up. */
  private cursor = 0;
  private queue: WatchEvent[] = [];
  private delivery: { cancel(): void } | null = null;
  private notice: Timer | null = null;
  private readonly stopObserving: () => void;

  constructor(
    private readonly server: MemoryEtcd,
    private readonly range: KeyRange,
    fromRevision: number,
    private readonly listener: WatchListener,
    private readonly options: MemoryWatchOptions,
  ) {
    this.responses = new WatchResponses(fromRevision > 0 ? fromRevision : server.revision + 1);
    this.stopObserving = server.observe((change) => this.receive(change));
  }

  /** The client can reach the server (again). */
  connect(): void {
    if (this.state !== 'disconnected') return;
    this.notice?.cancel();
    this.state = 'catching-up';
    this.responses.streamBegins();
    this.cursor = this.responses.nextRevision;
    this.deliverSoon();
  }

  /** The client no longer reaches the server and notices it after `noticeMs`. What was under way is lost. */
  disconnect(noticeMs: number): void {
    if (this.state === 'over') return;
    this.state = 'disconnected';
    this.queue = [];
    this.delivery?.cancel();
    this.delivery = null;
    this.notice?.cancel();
    const tell = (): void => this.tell(false);
    this.notice = noticeMs > 0 ? this.options.clock.setTimer(noticeMs, tell) : soon(tell);
  }

  close(): void {
    if (this.state === 'over') return;
    this.state = 'over';
    this.stopObserving();
    this.delivery?.cancel();
    this.notice?.cancel();
    this.queue = [];
    this.options.onEnd();
  }

  private receive(change: Change): void {
    if (this.state !== 'synced' || change.revision < this.responses.nextRevision) return;
    this.enqueue(change);
    if (this.queue.length > 0) this.deliverSoon();
  }

  private enqueue(change: Change): void {
    const { start: key, end } = this.range;
    for (const event of change.events) {
      if (covers({ key, end }, event.type === 'put' ? event.kv.key : event.key)) this.queue.push(event);
    }
  }

  private deliverSoon(): void {
    if (this.delivery !== null) return;
    const delayMs = this.options.delayMs();
    const deliver = (): void => this.deliver();
    this.delivery = delayMs > 0 ? this.server.clock.setTimer(delayMs, deliver) : soon(deliver);
  }

  private deliver(): void {
    this.delivery = null;
    this.tell(true);
    if (this.state === 'catching-up') this.catchUp();
    const events = this.queue;
    this.queue = [];
    if (events.length > 0) this.send(events, this.options.wire());
    if (this.state === 'catching-up') this.deliverSoon();
  }

  private send(events: readonly WatchEvent[], wire: Wire): void {
    if (wire === 'repeated') this.hear(this.sent, false);
    this.sent = events;
    if (wire !== 'in pieces') return this.hear(events, false);
    for (const [index, event] of events.entries()) {
      const next = events[index + 1];
      this.hear([event], next !== undefined && revisionOf(next) === revisionOf(event));
    }
  }

  private hear(response: readonly WatchEvent[], isFragment: boolean): void {
    const events = this.responses.take(response, isFragment);
    // The listener may have closed the watch.
    if (events.length > 0 && this.state !== 'over') this.listener.onEvents(events);
  }

  private catchUp(): void {
    if (this.cursor <= this.server.compactRevision) {
      this.close();
      this.listener.onLost(compacted(this.server.compactRevision));
      return;
    }
    const changes = this.server.changesFrom(this.cursor, CATCH_UP_REVISIONS);
    for (const change of changes) this.enqueue(change);
    this.cursor = Math.max(this.cursor, (changes.at(-1)?.revision ?? 0) + 1);
    if (changes.length < CATCH_UP_REVISIONS) this.state = 'synced';
  }

  private tell(connected: boolean): void {
    if (this.toldConnected === connected) return;
    this.toldConnected = connected;
    if (connected) this.listener.onConnection?.(true);
    else this.listener.onConnection?.(false, unreachable('the connection to it is cut', false));
  }
}

/** A cancellable microtask. */
function soon(callback: () => void): Timer {
  let cancelled = false;
  // Lighter than `queueMicrotask`, which makes an async resource of each.
  void Promise.resolve().then(() => {
    if (!cancelled) callback();
  });
  return { cancel: () => void (cancelled = true) };
}
