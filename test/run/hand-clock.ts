import { systemClock, type Clock, type Timer } from '../../src/clock.js';

/** Longer than any test takes: timers of this length are fired by `HandClock.fire` only. */
export const LONG_MS = 1_000_000;
export const GRACE_MS = 2_000_000;
export const TIMEOUT_MS = 3_000_000;

/** Real time for short timers; those of `LONG_MS` and more wait until the test fires them. */
export class HandClock implements Clock {
  readonly #held = new Map<Timer, { delayMs: number; callback: () => void }>();

  now = (): number => systemClock.now();
  monotonicMs = (): number => systemClock.monotonicMs();

  setTimer(delayMs: number, callback: () => void): Timer {
    if (delayMs < LONG_MS) return systemClock.setTimer(delayMs, callback);
    const timer = { cancel: () => void this.#held.delete(timer) };
    this.#held.set(timer, { delayMs, callback });
    return timer;
  }

  /** How many timers of this length are waiting. */
  held(delayMs: number): number {
    return [...this.#held.values()].filter((each) => each.delayMs === delayMs).length;
  }

  fire(delayMs: number): void {
    const due = [...this.#held].filter(([, each]) => each.delayMs === delayMs);
    if (due.length === 0) throw new Error(`no timer of ${delayMs} ms waits`);
    for (const [timer, { callback }] of due) {
      this.#held.delete(timer);
      callback();
    }
  }
}
