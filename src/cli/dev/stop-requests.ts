/**
 * Who wants `etcron dev` to end: SIGINT, SIGTERM, SIGHUP, or nobody who reads its output any more. The first request
 * lets the workers drain, the second ends them at once, the third leaves it to the guards.
 *
 * One Ctrl-C can arrive twice, from the terminal and from npm, which forwards it: signals that come together are one.
 */
import { constants } from 'node:os';
import type { Clock } from '../../clock.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const SAME_REQUEST_MS = 500;

export class StopRequests {
  /** The first request. */
  readonly first: Promise<void>;
  readonly #clock: Clock;
  readonly #stdout: NodeJS.WriteStream | null;
  readonly #onSecond: () => void;
  #count = 0;
  #lastMs = -Infinity;
  #exitCode = 0;
  #resolveFirst!: () => void;

  /** @param stdout null when the output goes elsewhere than to the process's own */
  constructor(clock: Clock, stdout: NodeJS.WriteStream | null, onSecond: () => void) {
    this.#clock = clock;
    this.#stdout = stdout;
    this.#onSecond = onSecond;
    this.first = new Promise((resolve) => {
      this.#resolveFirst = resolve;
    });
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    if (stdout) {
      // Otherwise the program ends at once when nobody reads; here workers have to drain first.
      stdout.removeAllListeners('error');
      stdout.on('error', () => this.#request());
    }
  }

  get requested(): boolean {
    return this.#count > 0;
  }

  /** 0 after an orderly stop, 128 + the signal's number when it was not waited for. */
  get exitCode(): number {
    return this.#exitCode;
  }

  /** Signals do again what they usually do; the output's errors stay without effect. */
  close(): void {
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    this.#stdout?.removeAllListeners('error').on('error', () => undefined);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lastMs < SAME_REQUEST_MS) return;
    this.#lastMs = nowMs;
    this.#count += 1;
    if (this.#count === 1) return this.#resolveFirst();
    this.#exitCode = 128 + constants.signals[signal];
    if (this.#count === 2) this.#onSecond();
    else process.exit(this.#exitCode);
  };

  #request(): void {
    if (this.#count > 0) return;
    this.#count = 1;
    this.#resolveFirst();
  }
}
