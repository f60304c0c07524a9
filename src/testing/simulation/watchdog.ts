/**
 * The watchdog of a simulated worker. As the real one it lives on when the worker dies or is frozen: it kills the
 * processes of `rerun` jobs when trust has ended, or at once when the worker is gone, and then revokes the lease.
 */
import type { Clock, Timer } from '../../clock.js';
import type { SessionFacts, WorkerWatch } from '../../run/watchdog/worker-watch.js';
import type { SimulatedProcess } from './process.js';

/** How long it takes to notice and to kill. */
const REACTION_MS = 30;

export class SimulatedWatchdog implements WorkerWatch {
  readonly #clock: Clock;
  readonly #processOf: (marker: string) => SimulatedProcess | undefined;
  readonly #revoke: (leaseId: string) => void;
  readonly #reruns = new Set<string>();
  #session: SessionFacts | null = null;
  #timer: Timer | null = null;
  #isUseless = false;

  /** `clock`: of the node's machine, which goes on when the worker is frozen. */
  constructor(
    clock: Clock,
    processOf: (marker: string) => SimulatedProcess | undefined,
    revoke: (leaseId: string) => void,
  ) {
    this.#clock = clock;
    this.#processOf = processOf;
    this.#revoke = revoke;
  }

  /** From now on it does nothing: for showing what it is good for. */
  disable(): void {
    this.#isUseless = true;
  }

  setSession(session: SessionFacts): void {
    this.#session = session;
    this.#timer?.cancel();
    const remainingMs = Math.max(0, session.trustedUntilMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.setTimer(remainingMs + REACTION_MS, () => this.#killAll());
  }

  clearSession(): void {
    this.#session = null;
    this.#timer?.cancel();
    this.#timer = null;
  }

  runStarting({ marker, recovery }: Parameters<WorkerWatch['runStarting']>[0]): void {
    if (recovery === 'rerun') this.#reruns.add(marker);
  }

  runStarted(): void {
    // The marker is enough here.
  }

  runEnded(marker: string): void {
    this.#reruns.delete(marker);
  }

  /** The worker is dead. */
  workerGone(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(REACTION_MS, () => {
      this.#killAll();
      if (this.#session && !this.#isUseless) this.#revoke(this.#session.leaseId);
    });
  }

  /** It died with its machine. */
  die(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #killAll(): void {
    this.#timer = null;
    if (this.#isUseless) return;
    for (const marker of this.#reruns) this.#processOf(marker)?.killedFromOutside();
  }
}
