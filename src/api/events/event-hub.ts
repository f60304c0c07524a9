/**
 * The streams of `GET /api/v1/events`: who listens, and how nobody harms the others. A listener that does not keep up is cut
 * off as soon as `MAX_UNSENT_BYTES` wait for it (it comes back, and goes on from where it was); there are only so many.
 */
import type { ServerResponse } from 'node:http';
import type { Timer } from '../../clock.js';
import { EtcronError } from '../../errors.js';
import { API_DEFAULTS, type ApiContext } from '../context.js';
import { LazyService } from '../lazy-service.js';
import type { ClusterReader } from '../reader/cluster-reader.js';
import { EventSource, type EventSourceOptions } from './event-source.js';

const HEARTBEAT_MS = 15_000;
const RETRY_MS = 1_000;
/** Twice what is sent at once to whoever comes back; a listener that lags by this much does not read. */
const MAX_UNSENT_BYTES = 4 * 2 ** 20;

export interface Stream {
  readonly raw: ServerResponse;
  /** To be sent with those of the stream. */
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  /** Where whoever comes back was; null for a new one. */
  readonly lastId: string | null;
}

/** To be begun, at once. */
export interface Admission {
  begin(stream: Stream): void;
}

export class EventHub {
  readonly #context: ApiContext;
  readonly #source: LazyService<EventSource>;
  readonly #streams = new Set<ServerResponse>();
  /** Those that are open, and those that are about to be. */
  #admitted = 0;
  #heartbeat: Timer | null = null;
  #closed = false;

  constructor(context: ApiContext, reader: ClusterReader, options: EventSourceOptions = {}) {
    this.#context = context;
    this.#source = new LazyService(() => new EventSource(reader, context.clock, options), context.clock);
  }

  /**
   * Room for a stream, which has to be begun or given up then. Rejects with ETCRON_RATE_LIMITED when there are too many already,
   * and with what keeps this node from following the cluster.
   */
  async admit(): Promise<Admission> {
    const { maxStreams = API_DEFAULTS.maxStreams } = this.#context.settings;
    if (this.#admitted >= maxStreams) {
      throw new EtcronError('ETCRON_RATE_LIMITED', `${maxStreams} streams of events are open already`, {
        hint: 'Close some, or ask another worker.',
        details: { maxStreams },
      });
    }
    this.#admitted += 1;
    try {
      const { service, release } = await this.#source.hold();
      return { begin: (stream) => this.#begin(service, release, stream) };
    } catch (error) {
      this.#admitted -= 1;
      throw error;
    }
  }

  #begin(source: EventSource, release: () => void, { raw, headers, lastId }: Stream): void {
    const { first, end } = source.listen(lastId, (text) => this.#send(raw, text));
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      end();
      release();
      this.#streams.delete(raw);
      this.#admitted -= 1;
    };
    if (raw.destroyed || this.#closed) {
      over();
      raw.destroy();
      return;
    }
    this.#streams.add(raw);
    raw.once('close', over);
    // Proxies that gather answers would keep events for later.
    raw.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    this.#send(raw, `retry: ${RETRY_MS}\n\n${first}`);
    this.#beat();
  }

  /** Ends all streams. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#heartbeat?.cancel();
    for (const raw of this.#streams) raw.end();
    await this.#source.close();
  }

  #send(raw: ServerResponse, text: string): void {
    if (raw.destroyed || raw.writableEnded) return;
    if (raw.writableLength > MAX_UNSENT_BYTES) {
      this.#context.log.debug('a listener to events does not keep up; it is cut off');
      raw.destroy();
      return;
    }
    raw.write(text);
  }

  /** Tells both sides that the connection is alive, also through proxies. */
  #beat(): void {
    if (this.#closed) return;
    this.#heartbeat ??= this.#context.clock.setTimer(HEARTBEAT_MS, () => {
      this.#heartbeat = null;
      for (const raw of this.#streams) this.#send(raw, ': \n\n');
      if (this.#streams.size > 0) this.#beat();
    });
  }
}
