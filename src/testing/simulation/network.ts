/** What one worker's connection to etcd does to its messages. The nemesis sets it; healing resets it. */
import { sleep, type Clock } from '../../clock.js';
import type { Random } from '../../random.js';
import type { InterceptedCall } from '../memory-store.js';
import type { Wire } from '../memory-watch.js';
import { unreachable } from '../refusals.js';

export interface Quality {
  /** Chance that a message gets lost, each way. */
  readonly loss: number;
  /** Chance that it is held up, each way, and for how long at most. */
  readonly delay: number;
  readonly delayMs: number;
  /** Chance that watch events are late, and by how much at most. */
  readonly lateEvents: number;
  readonly lateMs: number;
  /** Chance that watch events come again, behind which the new ones stand, or in pieces. */
  readonly repeats: number;
}

export const GOOD: Quality = { loss: 0, delay: 0.3, delayMs: 3, lateEvents: 0.3, lateMs: 20, repeats: 0.02 };

export class Network {
  quality: Quality = GOOD;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  async disturb({ phase, method }: InterceptedCall): Promise<void> {
    const random = this.#random;
    const { loss, delay, delayMs } = this.quality;
    // Leases end at times without that; each renewal has three tries.
    if (random.chance(method === 'leaseKeepAlive' ? loss / 2 : loss)) {
      // A new one each time: a promise keeps all who wait for it.
      if (random.chance(0.3)) await new Promise<never>(() => undefined);
      throw unreachable(`the ${phase} got lost`, true);
    }
    if (random.chance(delay)) await sleep(this.#clock, 1 + random.int(delayMs));
  }

  wire(): Wire {
    if (!this.#random.chance(this.quality.repeats)) return 'plain';
    return this.#random.chance(0.5) ? 'repeated' : 'in pieces';
  }

  watchDelayMs(): number {
    const { lateEvents, lateMs } = this.quality;
    return this.#random.chance(lateEvents) ? this.#random.int(lateMs) : 0;
  }
}
