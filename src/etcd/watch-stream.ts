/**
 * One watch that survives whatever happens to connections and members.
 *
 *     opening ──created──▶ live ──(error, end, silence)──▶ waiting ──backoff──▶ opening …
 *        │                  │
 *        └── compacted, or refused for good ──▶ lost          any state ── close() ──▶ closed
 *
 * Invariants
 * - `nextRevision` is one more than the revision of the last event that was handed over. The next stream asks for one
 *   revision less: etcd serves a watch that begins exactly at the compacted revision, but a delete at that revision is
 *   gone, so only a watch that begins before it is told of the compaction. `nextRevision` never comes from the header of an event batch: while etcd catches a watch up, the header carries the
 *   store's current revision, and resuming after it loses everything in between. A progress notification, which etcd
 *   sends on the watch's own queue once all events before it are sent, may advance it; the answer to a progress
 *   *request* may not, since etcd before 3.4.25 and 3.5.8 answers it past events that are still queued.
 * - Events of one revision are never split: fragments are put together first, and etcd never cuts a batch within a
 *   revision.
 *
 * Failures
 * - `hasleader` makes a member that has lost its quorum end the stream instead of leaving it silent.
 * - A connection that died without a word is noticed by the answer to a progress request that does not come (and by
 *   gRPC's keepalive pings); then the stream is opened anew, on the next endpoint.
 * - A compacted `nextRevision` ends the watch: the caller must list again.
 * - An expired token looks like a denied permission on older servers: the watch authenticates again once, and only a
 *   second refusal ends it.
 */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { systemClock, type Timer } from '../clock.js';
import type { EtcronError } from '../errors.js';
import { CallFailed, type Endpoint } from './endpoint.js';
import type { Endpoints } from './endpoints.js';
import { broken, judge, toStoreError, type Failure } from './errors.js';
import { StoreError } from './store-error.js';
import type { KeyRange, Watch, WatchEvent, WatchListener } from './store.js';
import { WatchResponses } from './watch-responses.js';
import { WATCH, type WatchAnswer, type WatchCall } from './wire.js';

const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 2_000;
/** Without a message for so long, the server is asked for one … */
const SILENCE_MS = 5_000;
/** … and given so long to answer. */
const ANSWER_MS = 3_000;
/** The id in answers to progress requests: they belong to the stream, not to a watch. */
const NO_WATCH = -1;
const FACTS = { operation: 'watch', write: false };

type ForgetToken = () => Promise<void>;
type Stream = ClientDuplexStream<WatchCall, WatchAnswer | StoreError>;

export class WatchStream implements Watch {
  private stream: Stream | null = null;
  /** Of the open stream, or of the pause before the next. */
  private timer: Timer | null = null;
  private readonly responses: WatchResponses;
  private failures = 0;
  private refusals = 0;
  private connected: boolean | null = null;
  private closed = false;

  constructor(
    private readonly endpoints: Endpoints,
    private readonly range: KeyRange,
    nextRevision: number,
    private readonly listener: WatchListener,
    private readonly deadlineMs: number,
    private readonly onClosed: () => void,
  ) {
    this.responses = new WatchResponses(nextRevision);
    void this.open();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.abandonStream();
    this.onClosed();
  }

  private async open(): Promise<void> {
    const endpoint = this.endpoints.current;
    const times = {
      dialMs: Math.min(this.deadlineMs, this.endpoints.dialDeadlineMs),
      callMs: () => this.deadlineMs,
    };
    try {
      const metadata = await endpoint.metadata(times);
      const token = metadata.clone();
      metadata.set('hasleader', 'true');
      const stream = await endpoint.stream('Watch', WATCH, metadata, times.dialMs);
      if (this.closed) {
        stream.on('error', () => undefined);
        stream.cancel();
        return;
      }
      this.stream = stream;
      this.responses.streamBegins();
      const current = (): boolean => this.stream === stream;
      stream.on('data', (response: WatchAnswer | StoreError) => {
        if (!current()) return;
        if (response instanceof StoreError) this.lose(response);
        else this.receive(response, endpoint, () => endpoint.forgetToken(token));
      });
      stream.on('error', (error) => {
        if (current()) void this.fail(endpoint, judge(error), () => endpoint.forgetToken(token));
      });
      stream.on('end', () => {
        if (current()) void this.fail(endpoint, broken('etcd ended the watch stream'));
      });
      this.setTimer(this.deadlineMs, () => this.silent(endpoint));
      // One less than needed (0 would mean "from now on"); what has been handed over is dropped.
      const startRevision = Math.max(1, this.responses.nextRevision - 1);
      stream.write({ create: { range: this.range, startRevision } });
    } catch (error) {
      if (!this.closed) await this.fail(endpoint, error instanceof CallFailed ? error.failure : judge(error));
    }
  }

  private receive(response: WatchAnswer, endpoint: Endpoint, forgetToken: ForgetToken): void {
    this.expectMore(endpoint);
    if (response.canceled) return this.cancelled(response, endpoint, forgetToken);
    if (response.created) {
      this.failures = 0;
      this.setConnected(true);
      return;
    }
    this.refusals = 0;
    const events = this.take(response);
    if (events.length > 0) this.listener.onEvents(events);
  }

  private cancelled(response: WatchAnswer, endpoint: Endpoint, forgetToken: ForgetToken): void {
    const { compactRevision } = response;
    if (compactRevision > 0) return this.lose(compacted(this.responses.nextRevision, compactRevision));
    const reason = response.cancelReason;
    const failure = reason === '' ? broken('etcd cancelled the watch') : judge(new Error(reason));
    if (failure.transient || failure.code === 'ETCRON_ETCD_AUTH')
      void this.fail(endpoint, failure, forgetToken);
    else this.lose(toStoreError(FACTS, failure, [[endpoint.address, failure.reason]]));
  }

  private take(response: WatchAnswer): WatchEvent[] {
    if (response.events.length === 0 && this.responses.isEmpty) {
      if (response.watchId !== NO_WATCH) this.responses.completeThrough(response.revision);
      return [];
    }
    return this.responses.take(response.events, response.fragment);
  }

  /** Starts the wait for the next message. */
  private expectMore(endpoint: Endpoint): void {
    this.setTimer(SILENCE_MS, () => {
      this.stream?.write('progress');
      this.setTimer(ANSWER_MS, () => this.silent(endpoint));
    });
  }

  private silent(endpoint: Endpoint): void {
    void this.fail(endpoint, broken('the watch stream is silent'));
  }

  private async fail(endpoint: Endpoint, failure: Failure, forgetToken?: ForgetToken): Promise<void> {
    this.abandonStream();
    const error = toStoreError(FACTS, failure, [[endpoint.address, failure.reason]]);
    if (failure.code === 'ETCRON_ETCD_AUTH' && forgetToken) {
      this.refusals += 1;
      if (this.refusals > 1) return this.lose(error);
      await forgetToken();
      if (this.closed) return;
    }
    this.setConnected(false, error);
    this.endpoints.moveOnFrom(endpoint);
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** this.failures, MAX_BACKOFF_MS);
    this.failures = Math.min(this.failures + 1, 10);
    this.setTimer(backoffMs * (0.5 + Math.random() / 2), () => void this.open());
  }

  private lose(error: EtcronError): void {
    this.close();
    this.listener.onLost(error);
  }

  private setConnected(connected: boolean, error?: EtcronError): void {
    if (this.connected === connected) return;
    this.connected = connected;
    this.listener.onConnection?.(connected, error);
  }

  private setTimer(delayMs: number, callback: () => void): void {
    this.timer?.cancel();
    this.timer = this.closed ? null : systemClock.setTimer(delayMs, callback);
  }

  private abandonStream(): void {
    this.timer?.cancel();
    this.timer = null;
    const stream = this.stream;
    this.stream = null;
    stream?.cancel();
  }
}

function compacted(nextRevision: number, compactRevision: number): StoreError {
  return new StoreError(
    'ETCRON_ETCD_REFUSED',
    `the watch cannot go on at revision ${nextRevision}: etcd has compacted its history up to ${compactRevision}`,
    { maybeApplied: false, transient: false, details: { compacted: true, compactRevision } },
  );
}
