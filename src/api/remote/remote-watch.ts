/**
 * A watch over HTTP: lines of a response that does not end. When it breaks, or nothing is heard for a while, it is asked for again
 * from behind the last event; so each event comes once, and in order.
 */
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { Backoff } from '../../backoff.js';
import { sleep, type Clock } from '../../clock.js';
import { StoreError } from '../../etcd/store-error.js';
import type { KeyRange, Watch, WatchListener } from '../../etcd/store.js';
import { storeErrorOf, type HttpClient } from './http-client.js';
import { eventsFromWire, type WatchLine } from './wire.js';

const FIRST_RETRY_MS = 200;
const MAX_RETRY_MS = 5_000;
/** A beat comes every 5 s. */
const SILENCE_MS = 15_000;
const OPEN_MS = 10_000;

export class RemoteWatch implements Watch {
  readonly #client: HttpClient;
  readonly #clock: Clock;
  readonly #range: KeyRange;
  readonly #listener: WatchListener;
  readonly #abort = new AbortController();
  readonly #onEnd: () => void;
  #fromRevision: number;
  /** Null: never was. */
  #isConnected: boolean | null = null;

  constructor(
    client: HttpClient,
    clock: Clock,
    range: KeyRange,
    fromRevision: number,
    listener: WatchListener,
    onEnd: () => void,
  ) {
    this.#client = client;
    this.#clock = clock;
    this.#range = range;
    this.#fromRevision = fromRevision;
    this.#listener = listener;
    this.#onEnd = onEnd;
    void this.#run();
  }

  close(): void {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort(new Error('the watch was closed'));
    this.#onEnd();
  }

  async #run(): Promise<void> {
    const backoff = new Backoff(FIRST_RETRY_MS, MAX_RETRY_MS);
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#follow(() => backoff.reset());
      } catch (error) {
        if (signal.aborted) return;
        const known = asStoreError(error);
        if (!known.transient) return this.#lose(known);
        this.#tell(false, known);
      }
      await sleep(this.#clock, backoff.nextMs(), signal).catch(() => undefined);
    }
  }

  /** Until the response ends, or is over by itself. */
  async #follow(onHeard: () => void): Promise<void> {
    const silence = new AbortController();
    const signal = AbortSignal.any([this.#abort.signal, silence.signal]);
    let timer = this.#clock.setTimer(OPEN_MS, () => silence.abort());
    const heard = (): void => {
      timer.cancel();
      timer = this.#clock.setTimer(SILENCE_MS, () => silence.abort());
    };
    let answer: IncomingMessage | null = null;
    try {
      const body = { ...this.#range, fromRevision: this.#fromRevision };
      const call = { method: 'POST', path: '/store/watch', body, deadlineMs: OPEN_MS } as const;
      answer = await this.#client.open(call, signal);
      heard();
      for await (const line of createInterface({ input: answer, crlfDelay: Infinity })) {
        heard();
        onHeard();
        if (line !== '') this.#take(JSON.parse(line) as WatchLine);
        if (this.#abort.signal.aborted) return;
      }
      this.#tell(false);
    } finally {
      timer.cancel();
      answer?.destroy();
    }
  }

  #take(line: WatchLine): void {
    if ('lost' in line) return this.#lose(storeErrorOf(line.lost));
    if ('connected' in line) return this.#tell(line.connected);
    const events = eventsFromWire(line.events);
    const last = events.at(-1);
    if (last === undefined) return;
    this.#fromRevision = (last.type === 'put' ? last.kv.modRevision : last.modRevision) + 1;
    this.#tell(true);
    if (!this.#abort.signal.aborted) this.#listener.onEvents(events);
  }

  #tell(connected: boolean, error?: StoreError): void {
    if (this.#abort.signal.aborted || connected === (this.#isConnected ?? false)) return;
    this.#isConnected = connected;
    this.#listener.onConnection?.(connected, error);
  }

  #lose(error: StoreError): void {
    if (this.#abort.signal.aborted) return;
    this.close();
    this.#listener.onLost(error);
  }
}

function asStoreError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('ETCRON_SERVER_UNREACHABLE', 'the connection to the server broke', {
    maybeApplied: false,
    transient: true,
    cause: error,
  });
}
