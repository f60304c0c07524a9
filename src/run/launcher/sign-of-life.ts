import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock, Timer } from '../../clock.js';

/** An answer that takes longer makes the worker start commands itself. */
const SILENT_AFTER_MS = 400;
/** Then whoever does not answer is replaced. */
const STUCK_AFTER_MS = 10_000;

/**
 * Asks another process whether it is alive, one question at a time. An answer that has arrived counts, whatever kept this
 * process from reading it.
 */
export class SignOfLife {
  readonly #clock: Clock;
  readonly #ask: () => void;
  readonly #onStuck: () => void;
  #timer: Timer | null = null;
  #asked = false;
  #silent = false;

  constructor(clock: Clock, ask: () => void, onStuck: () => void) {
    this.#clock = clock;
    this.#ask = ask;
    this.#onStuck = onStuck;
  }

  /** No answer for so long that it should not be relied on. */
  get isSilent(): boolean {
    return this.#silent;
  }

  /** A question is open. */
  get isAsked(): boolean {
    return this.#asked;
  }

  ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    this.#ask();
    this.#later(SILENT_AFTER_MS, () => {
      this.#silent = true;
      this.#later(STUCK_AFTER_MS, this.#onStuck);
    });
  }

  answered(): void {
    this.#asked = this.#silent = false;
    this.cancel();
  }

  cancel(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #later(delayMs: number, callback: () => void): void {
    const timer = this.#clock.setTimer(delayMs, () => {
      void afterReading().then(() => {
        if (this.#timer === timer) callback();
      });
    });
    this.#timer = timer;
  }
}

/** Resolves when what has arrived in pipes has been read: after a long turn of the event loop timers come first. */
export async function afterReading(): Promise<void> {
  await nextTurn();
  await nextTurn();
}
