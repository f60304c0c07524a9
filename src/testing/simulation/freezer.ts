/**
 * What a whole process can suffer: it is frozen (SIGSTOP, swapping, a paused machine) while time goes on, or it is dead.
 *
 * Everything that makes a node's code run comes through its `Freezer`: timers, replies, watch events, ends of processes.
 * While it is frozen they wait; at the thaw they come one by one, each in a turn of its own, those of one kind in their
 * order. Once it is dead nothing comes any more.
 */
import type { Clock, Timer } from '../../clock.js';
import type { Random } from '../../random.js';

type State = 'running' | 'frozen' | 'thawing' | 'dead';

interface Waiting {
  readonly kind: 'timer' | 'message';
  readonly deliver: () => void;
}

export class Freezer {
  #state: State = 'running';
  #waiting: Waiting[] = [];
  readonly #timers = new Set<Timer>();
  readonly #clock: Clock;
  readonly #random: Random;

  /** `clock` goes on whatever happens to the process. */
  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  get state(): State {
    return this.#state;
  }

  freeze(): void {
    if (this.#state !== 'dead') this.#state = 'frozen';
  }

  thaw(): void {
    if (this.#state !== 'frozen') return;
    this.#state = 'thawing';
    const waiting = this.#waiting;
    const first = this.#random.pick(['timer', 'message'] as const);
    this.#waiting = [
      ...waiting.filter(({ kind }) => kind === first),
      ...waiting.filter(({ kind }) => kind !== first),
    ];
    this.#deliverNext();
  }

  die(): void {
    this.#state = 'dead';
    this.#waiting = [];
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  /** Lets a message through to the process: now, at the thaw, or never. */
  pass(deliver: () => void): void {
    this.#pass('message', deliver);
  }

  /** A timer of the process. */
  setTimer(delayMs: number, callback: () => void): Timer {
    if (this.#state === 'dead') return { cancel: () => undefined };
    let cancelled = false;
    const inner = this.#clock.setTimer(delayMs, () => {
      this.#timers.delete(inner);
      this.#pass('timer', () => {
        if (!cancelled) callback();
      });
    });
    this.#timers.add(inner);
    return {
      cancel: () => {
        cancelled = true;
        inner.cancel();
        this.#timers.delete(inner);
      },
    };
  }

  #pass(kind: Waiting['kind'], deliver: () => void): void {
    if (this.#state === 'running') deliver();
    else if (this.#state !== 'dead') this.#waiting.push({ kind, deliver });
  }

  /** What arrives meanwhile comes behind what has waited. */
  #deliverNext(): void {
    if (this.#waiting.length === 0) {
      this.#state = 'running';
      return;
    }
    const timer = this.#clock.setTimer(0, () => {
      this.#timers.delete(timer);
      if (this.#state !== 'thawing') return;
      this.#waiting.shift()?.deliver();
      // Delivering may have ended it.
      if (this.state === 'thawing') this.#deliverNext();
    });
    this.#timers.add(timer);
  }
}

/** The clock as a process that can be frozen sees it: reading it works, its timers come through the freezer. */
export function freezableClock(clock: Clock, freezer: Freezer): Clock {
  return {
    now: () => clock.now(),
    monotonicMs: () => clock.monotonicMs(),
    // In whole microseconds: what rounding leaves of a wait must not be too small for time to move.
    setTimer: (delayMs, callback) => freezer.setTimer(Math.ceil(delayMs * 1000) / 1000, callback),
  };
}
