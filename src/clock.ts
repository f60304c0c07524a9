/**
 * Time as an argument. Due times are wall-clock times; deadlines, trust windows and back-offs are measured on the
 * monotonic clock, because wall clocks jump. Everything in etcron takes a `Clock`, so that tests and the simulation
 * advance time by hand.
 */
export interface Clock {
  /** Wall-clock time in ms since the Unix epoch. */
  now(): number;
  /** Monotonic time in ms from an arbitrary origin; never goes back. */
  monotonicMs(): number;
  /**
   * Calls `callback` once, `delayMs` from now on the monotonic clock. Any length works (Node's own timers overflow
   * above 24.8 days). A negative delay counts as 0.
   */
  setTimer(delayMs: number, callback: () => void): Timer;
  /**
   * Calls `callback` in the next turn of the event loop: for waiting out the last millisecond before a due time, since timers
   * come a millisecond or two late. A clock of tests has none, and needs none.
   */
  readonly soon?: (callback: () => void) => Timer;
  /** Its wall never jumps, so that nobody has to look after it. Only a test's clock can promise that. */
  readonly isSteady?: boolean;
}

export interface Timer {
  /** Idempotent; the callback will not be called any more. */
  cancel(): void;
}

/** Node's `setTimeout` takes a signed 32-bit number of milliseconds. */
const MAX_NODE_DELAY_MS = 2 ** 31 - 1;

/** The real clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer(delayMs, callback) {
    let handle: NodeJS.Timeout;
    const arm = (remainingMs: number): void => {
      handle =
        remainingMs > MAX_NODE_DELAY_MS
          ? setTimeout(() => arm(remainingMs - MAX_NODE_DELAY_MS), MAX_NODE_DELAY_MS)
          : setTimeout(callback, Math.max(0, remainingMs));
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
  soon(callback) {
    const handle = setImmediate(callback);
    return { cancel: () => clearImmediate(handle) };
  },
};

/** Resolves after `delayMs`; rejects with the signal's reason as soon as it is aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
