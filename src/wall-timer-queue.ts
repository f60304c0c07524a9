/**
 * Many wall-clock appointments behind one timer. The wall clock can be set while we wait, so no wait is longer than a
 * second before the clock is read again: a step is noticed within that time, and nothing is ever called early.
 *
 * Timers have a resolution of a millisecond and come one or two late. A queue that is `punctual` wakes a millisecond
 * before the time and waits out the rest by asking the clock in each turn of the event loop: at most `SPIN_MS` of each
 * `SPIN_EVERY_MS`, which bounds what it costs.
 */
import { Heap } from './heap.js';
import type { Clock, Timer } from './clock.js';

const MAX_WAIT_MS = 1_000;
/** A timer that is set for this much earlier is seldom too late. */
const WAKE_EARLY_MS = 1;
const SPIN_MS = 3;
const SPIN_EVERY_MS = 200;
/** So many moved and deleted appointments may stay in the heap beyond those that stand. */
const SLACK = 64;

interface Appointment {
  readonly key: string;
  readonly atMs: number;
}

export class WallTimerQueue {
  readonly #clock: Clock;
  readonly #onDue: (keys: string[]) => void;
  readonly #soon: Clock['soon'];
  readonly #heap = new Heap<Appointment>((a, b) => a.atMs < b.atMs);
  readonly #current = new Map<string, Appointment>();
  #timer: Timer | null = null;
  #timerAtMs = Infinity;
  /** When the last spin began, on the monotonic clock. */
  #spinSinceMs = -Infinity;
  #closed = false;

  /** `onDue` gets all keys whose time has come, earliest first. */
  constructor(clock: Clock, onDue: (keys: string[]) => void, { punctual = false } = {}) {
    this.#clock = clock;
    this.#onDue = onDue;
    this.#soon = punctual ? clock.soon : undefined;
  }

  get size(): number {
    return this.#current.size;
  }

  /** What is kept in memory: appointments that stand, and those moved or deleted that are not forgotten yet. */
  get held(): number {
    return this.#heap.size;
  }

  has(key: string): boolean {
    return this.#current.has(key);
  }

  /** Sets or moves the appointment of `key`. */
  set(key: string, atMs: number): void {
    if (this.#closed) return;
    const appointment = { key, atMs };
    this.#current.set(key, appointment);
    this.#heap.push(appointment);
    if (this.#heap.size > 2 * this.#current.size + SLACK) this.#dropAllStale();
    this.#arm();
  }

  delete(key: string): void {
    this.#current.delete(key);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#current.clear();
    this.#heap.clear();
  }

  #arm(): void {
    this.#dropStale();
    const next = this.#heap.peek();
    if (next === undefined) return;
    const nowMs = this.#clock.now();
    const maySpin = this.#maySpin();
    const wakeMs = next.atMs - (maySpin ? WAKE_EARLY_MS : 0);
    const atMs = this.#clock.isSteady === true ? wakeMs : Math.min(wakeMs, nowMs + MAX_WAIT_MS);
    if (this.#timer !== null && this.#timerAtMs <= atMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const fire = (): void => this.#fire();
    if (maySpin && atMs <= nowMs && next.atMs > nowMs) this.#timer = this.#spin(fire);
    else this.#timer = this.#clock.setTimer(atMs - nowMs, fire);
  }

  /** It spins now, or has not done so for long enough. */
  #maySpin(): boolean {
    if (this.#soon === undefined) return false;
    const sinceMs = this.#clock.monotonicMs() - this.#spinSinceMs;
    return sinceMs < SPIN_MS || sinceMs >= SPIN_EVERY_MS;
  }

  #spin(callback: () => void): Timer {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#spinSinceMs >= SPIN_EVERY_MS) this.#spinSinceMs = nowMs;
    return this.#soon!(callback);
  }

  #fire(): void {
    this.#timer = null;
    this.#timerAtMs = Infinity;
    const nowMs = this.#clock.now();
    const due: string[] = [];
    for (;;) {
      this.#dropStale();
      const next = this.#heap.peek();
      if (next === undefined || next.atMs > nowMs) break;
      this.#heap.pop();
      this.#current.delete(next.key);
      due.push(next.key);
    }
    if (due.length > 0) this.#onDue(due);
    if (!this.#closed) this.#arm();
  }

  #dropAllStale(): void {
    this.#heap.clear();
    for (const appointment of this.#current.values()) this.#heap.push(appointment);
  }

  /** Moved and deleted appointments stay in the heap until they come to its top, or become too many. */
  #dropStale(): void {
    for (let top = this.#heap.peek(); top && this.#current.get(top.key) !== top; top = this.#heap.peek())
      this.#heap.pop();
  }
}
