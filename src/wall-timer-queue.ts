/**
 * Many wall-clock appointments behind one timer. The wall clock can be set while we wait, so no wait is longer than a
 * second before the clock is read again: a step is noticed within that time, and nothing is ever called early.
 */
import { Heap } from './heap.js';
import type { Clock, Timer } from './clock.js';

const MAX_WAIT_MS = 1_000;
/** So many moved and deleted appointments may stay in the heap beyond those that stand. */
const SLACK = 64;

interface Appointment {
  readonly key: string;
  readonly atMs: number;
}

export class WallTimerQueue {
  readonly #clock: Clock;
  readonly #onDue: (keys: string[]) => void;
  readonly #heap = new Heap<Appointment>((a, b) => a.atMs < b.atMs);
  readonly #current = new Map<string, Appointment>();
  #timer: Timer | null = null;
  #timerAtMs = Infinity;
  #closed = false;

  /** `onDue` gets all keys whose time has come, earliest first. */
  constructor(clock: Clock, onDue: (keys: string[]) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
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
    const atMs = this.#clock.isSteady === true ? next.atMs : Math.min(next.atMs, nowMs + MAX_WAIT_MS);
    if (this.#timer !== null && this.#timerAtMs <= atMs) return;
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    this.#timer = this.#clock.setTimer(atMs - nowMs, () => this.#fire());
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
