import { systemClock, type Timer } from '../../../clock.js';
import { machineMonotonicMs } from '../../machine-time.js';

/** A worker that is awake ends its runs itself, right at the end of trust. */
const HEAD_START_MS = 100;
/** A timer that fires so late was held up together with everything else here, the reading of messages too. */
const LATE_MS = 50;
const READ_FIRST_MS = 200;

/** Calls back once when a worker's trust has ended and no message has extended it. */
export class TrustTimer {
  readonly #onEnd: () => void;
  #untilMs = Infinity;
  #timer: Timer | null = null;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  /** `untilMs` on the machine's monotonic clock. */
  set(untilMs: number): void {
    if (untilMs === this.#untilMs) return;
    this.#untilMs = untilMs;
    this.#arm();
  }

  cancel(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    this.#timer?.cancel();
    const dueMs = this.#untilMs + HEAD_START_MS;
    this.#timer = systemClock.setTimer(dueMs - machineMonotonicMs(), () => {
      const lateMs = machineMonotonicMs() - dueMs;
      if (lateMs < 0) return this.#arm();
      // Messages that have arrived are read before the verdict.
      this.#timer = systemClock.setTimer(lateMs > LATE_MS ? READ_FIRST_MS : 0, this.#onEnd);
    });
  }
}
