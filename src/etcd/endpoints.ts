/**
 * Fail-over between the endpoints of one cluster. One endpoint is the current one, for all calls, until it fails; then
 * the next is. A call tries the endpoints in turn, round after round, until its deadline, but only as long as that is
 * safe: a write that may have been sent is never sent again, since only the caller knows whether it is idempotent.
 *
 * No endpoint may eat up the whole deadline while others are left to try: connecting gets an equal share of what is
 * left, and so does the answer to a read. The answer to a write gets all that is left, as nothing could follow it.
 */
import { sleep, systemClock } from '../clock.js';
import { StoreError } from './store-error.js';
import { CallFailed, type CallTimes, type Endpoint } from './endpoint.js';
import { judge, toStoreError, type CallFacts, type Failure } from './errors.js';

const ROUND_PAUSE_MS = 50;
const MAX_ROUND_PAUSE_MS = 500;
const MIN_SHARE_MS = 100;

export class Endpoints {
  private index: number;

  constructor(
    readonly all: readonly Endpoint[],
    readonly dialDeadlineMs: number,
    random: () => number,
  ) {
    // Not all clients on the same member.
    this.index = Math.floor(random() * all.length);
  }

  get current(): Endpoint {
    return this.all[this.index]!;
  }

  use(endpoint: Endpoint): void {
    this.index = this.all.indexOf(endpoint);
  }

  /** `endpoint` has failed: the next one takes over, unless another call has already moved on. */
  moveOnFrom(endpoint: Endpoint): void {
    if (this.current === endpoint) this.index = (this.index + 1) % this.all.length;
  }

  /** Runs `attempt` on one endpoint after the other. Rejects with a `StoreError`. */
  async call<T>(
    facts: CallFacts,
    deadlineMs: number,
    attempt: (endpoint: Endpoint, times: CallTimes) => Promise<T>,
  ): Promise<T> {
    const deadlineAt = systemClock.monotonicMs() + deadlineMs;
    const leftMs = (): number => deadlineAt - systemClock.monotonicMs();
    const reasons = new Map<string, string>();
    let endpoint = this.current;
    for (let tries = 0; ;) {
      const untried = Math.max(1, this.all.length - tries);
      const shareMs = Math.min(leftMs(), Math.max(MIN_SHARE_MS, leftMs() / untried));
      const startedAt = systemClock.monotonicMs();
      const callMs = (): number =>
        Math.max(1, facts.write ? leftMs() : shareMs - (systemClock.monotonicMs() - startedAt));
      let failure: Failure;
      let cause: unknown;
      try {
        return await attempt(endpoint, { dialMs: Math.min(shareMs, this.dialDeadlineMs), callMs });
      } catch (error) {
        // An answer that makes no sense makes none elsewhere.
        if (error instanceof StoreError) throw error;
        failure = error instanceof CallFailed ? error.failure : judge(error);
        cause = error instanceof CallFailed ? error.cause : error;
      }
      reasons.set(endpoint.address, failure.reason);
      if (!failure.elsewhere) throw toStoreError(facts, failure, [[endpoint.address, failure.reason]], cause);
      this.moveOnFrom(endpoint);
      endpoint = this.after(endpoint);
      tries += 1;
      const round = Math.floor(tries / this.all.length);
      const pauseMs =
        tries % this.all.length === 0 ? Math.min(ROUND_PAUSE_MS * 2 ** (round - 1), MAX_ROUND_PAUSE_MS) : 0;
      if ((facts.write && !failure.notApplied) || leftMs() <= pauseMs) {
        throw toStoreError(facts, failure, [...reasons], cause);
      }
      if (pauseMs > 0) await sleep(systemClock, pauseMs * (0.75 + Math.random() / 2));
    }
  }

  close(): void {
    for (const endpoint of this.all) endpoint.close();
  }

  private after(endpoint: Endpoint): Endpoint {
    return this.all[(this.all.indexOf(endpoint) + 1) % this.all.length]!;
  }
}
