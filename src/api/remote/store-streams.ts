/** Watches as streams of lines. A client that does not read is cut off, and comes back to go on from where it was. */
import { PassThrough, type Readable } from 'node:stream';
import type { Clock, Timer } from '../../clock.js';
import { EtcronError } from '../../errors.js';
import type { Watch, WatchListener } from '../../etcd/store.js';
import type { Logger } from '../../telemetry/logger.js';
import { toldInStream } from './told-store-error.js';
import { eventsToWire, type WatchLine } from './wire.js';

const MAX_STREAMS = 200;
const HEARTBEAT_MS = 5_000;
/** What waits for one client. */
const MAX_WAITING_BYTES = 16 * 2 ** 20;

export class StoreStreams {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #open = new Set<PassThrough>();

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Throws ETCRON_RATE_LIMITED when there are too many already. */
  open(start: (listener: WatchListener) => Watch): Readable {
    if (this.#open.size >= MAX_STREAMS) {
      throw new EtcronError('ETCRON_RATE_LIMITED', `${MAX_STREAMS} watches are open here already`, {
        hint: 'Ask another worker, or try again later.',
      });
    }
    const stream = new PassThrough();
    let heartbeat: Timer | null = null;
    const send = (text: string): void => {
      if (stream.writableEnded || stream.destroyed) return;
      stream.write(text);
      if (stream.writableLength <= MAX_WAITING_BYTES) return;
      this.#log.warn({ waitingBytes: stream.writableLength }, 'a client reads its watch too slowly; cut off');
      stream.destroy();
    };
    const beatLater = (): void => {
      heartbeat = this.#clock.setTimer(HEARTBEAT_MS, () => {
        send('\n');
        beatLater();
      });
    };
    const line = (value: WatchLine): void => send(`${JSON.stringify(value)}\n`);
    this.#open.add(stream);
    const watch = start({
      onEvents: (events) => line({ events: eventsToWire(events) }),
      onConnection: (connected) => line({ connected }),
      onLost: (error) => {
        line({ lost: toldInStream(error) });
        stream.end();
      },
    });
    beatLater();
    stream.once('close', () => {
      heartbeat?.cancel();
      watch.close();
      this.#open.delete(stream);
    });
    return stream;
  }

  async close(): Promise<void> {
    for (const stream of this.#open) stream.destroy();
  }
}
