/**
 * How one node shows another that it belongs to the cluster: a signature by the secret that lies in etcd, over what is asked, of
 * whom and when. It counts for a short time, for one worker, and once: whoever hears it can do nothing with it.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../clock.js';

export const HOP_HEADER = 'etcron-hop';

/** More than clocks of a cluster differ by, and a request takes. */
const WINDOW_MS = 30_000;
/** Requests of a window; with more, new ones are refused until old ones are over. */
const MAX_NONCES = 50_000;
const HEADER = /^v1 (\d{1,15}) ([0-9a-f]{32}) ([0-9a-f]{64})$/;

export interface HopRequest {
  /** Path and query, as they are sent. */
  readonly target: string;
  /** The name of the worker that is asked. */
  readonly worker: string;
}

/** The value of `HOP_HEADER`. */
export function signHop(secret: Buffer, request: HopRequest, nowMs: number): string {
  const nonce = randomBytes(16).toString('hex');
  const time = String(Math.floor(nowMs));
  return `v1 ${time} ${nonce} ${signatureOf(secret, request, time, nonce).toString('hex')}`;
}

/** Remembers what it has let through. */
export class HopVerifier {
  readonly #clock: Clock;
  /** Until when each must not come again, in the order in which they came. */
  readonly #seen = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Why the request is not let through; null when it is. */
  refusal(secret: Buffer, request: HopRequest, header: unknown): string | null {
    const [, time, nonce, signature] = HEADER.exec(typeof header === 'string' ? header : '') ?? [];
    if (time === undefined || nonce === undefined || signature === undefined) return 'it is not signed';
    const expected = signatureOf(secret, request, time, nonce);
    if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) return 'its signature is wrong';
    const nowMs = this.#clock.now();
    if (Math.abs(nowMs - Number(time)) > WINDOW_MS) return 'it was signed too long ago, or the clocks differ';
    this.#forget(nowMs);
    if (this.#seen.has(nonce)) return 'it was sent before';
    if (this.#seen.size >= MAX_NONCES) return 'there are too many';
    this.#seen.set(nonce, nowMs + 2 * WINDOW_MS);
    return null;
  }

  #forget(nowMs: number): void {
    for (const [nonce, untilMs] of this.#seen) {
      if (untilMs > nowMs) return;
      this.#seen.delete(nonce);
    }
  }
}

function signatureOf(secret: Buffer, { target, worker }: HopRequest, time: string, nonce: string): Buffer {
  return createHmac('sha256', secret).update(['v1', 'GET', target, worker, time, nonce].join('\n')).digest();
}
