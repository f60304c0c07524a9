/**
 * Time that moves only when a test says so.
 *
 * One time line, in ms since the clock was made, lies under every clock. `advance` walks along it: it jumps to the
 * next timer that is due, runs it, and lets everything that follows from it settle before it looks for the next one.
 * Code under test therefore sees the same order of events in every run: timers by (time, order of creation), and
 * between two timers all promise reactions of the first.
 *
 * Several clocks can share the time line (`skewed`): each is one node's idea of the time, with its own wall offset,
 * its own rate and its own steps. A timer is measured on the clock on which it was set, and never fires before that
 * clock's `now()` and `monotonicMs()` have moved by the whole delay.
 */
import { setImmediate } from 'node:timers';
import type { Clock, Timer } from '../clock.js';

/** 2026-01-01T00:00:00Z: where a clock starts unless told otherwise. */
export const DEFAULT_START_MS = Date.UTC(2026, 0, 1);

/** Event loop turns without any activity after which everything counts as settled, unless told otherwise. */
const QUIET_TURNS = 2;
/** Beyond this something polls without a timer, which would otherwise look like a test that hangs. */
const MAX_TURNS = 10_000;
/** A chain of so many timers without delay, each set by the one before, will not end. */
const MAX_CHAIN = 10_000;

interface PendingTimer {
  readonly at: number;
  readonly sequence: number;
  readonly callback: () => void;
  /** How many timers without delay led to this one. */
  readonly chain: number;
}

/** The time line: where it stands, and the timers in the order in which they will run. */
class TimeLine {
  elapsedMs = 0;
  /** Grows with everything that shows that code is still running. */
  activity = 0;
  /** `chain` of the timer that ran last. */
  chain = 0;
  readonly timers: PendingTimer[] = [];
  private sequence = 0;

  add(at: number, callback: () => void): Timer {
    const chain = at > this.elapsedMs ? 0 : this.chain + 1;
    const timer = { at: Math.max(at, this.elapsedMs), sequence: ++this.sequence, callback, chain };
    this.timers.splice(this.position(timer), 0, timer);
    this.activity++;
    return {
      cancel: () => {
        const index = this.position(timer);
        if (this.timers[index] === timer) {
          this.timers.splice(index, 1);
          this.activity++;
        }
      },
    };
  }

  private position(timer: PendingTimer): number {
    let low = 0;
    let high = this.timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.timers[middle]!;
      if (other.at < timer.at || (other.at === timer.at && other.sequence < timer.sequence)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** One clock on a time line: a wall that can be stepped, and a rate at which both its times pass. */
export class SkewedClock implements Clock {
  /** Wall time at the moment at which the clock was made, steps included since. */
  private wallBaseMs: number;
  private readonly bornAtMs: number;

  /**
   * @param wallMs what its wall shows now
   * @param rate how many of its own ms pass in one ms of the time line
   */
  constructor(
    protected readonly line: TimeLine,
    wallMs: number,
    private readonly rate: number,
  ) {
    if (!(rate > 0)) throw new RangeError(`a clock's rate must be positive, not ${rate}`);
    this.wallBaseMs = Math.floor(wallMs);
    this.bornAtMs = line.elapsedMs;
  }

  now(): number {
    return this.wallBaseMs + Math.floor((this.line.elapsedMs - this.bornAtMs) * this.rate);
  }

  monotonicMs(): number {
    return (this.line.elapsedMs - this.bornAtMs) * this.rate;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const delay = Math.max(0, delayMs);
    if (Number.isNaN(delay)) throw new RangeError('a timer needs a delay in ms, not NaN');
    if (this.rate === 1) return this.line.add(this.line.elapsedMs + delay, callback);
    // Rounded up to whole microseconds: a division's rounding error must not make the timer fire early.
    const at = this.bornAtMs + (this.monotonicMs() + delay) / this.rate;
    return this.line.add(Math.ceil(at * 1000) / 1000, callback);
  }

  /** Makes the wall jump, as NTP does; monotonic time and timers do not notice. Other clocks are not touched. */
  stepWall(deltaMs: number): void {
    this.wallBaseMs += Math.trunc(deltaMs);
  }
}

/** The clock of a test or a simulation; its rate is 1. Only one `advance` (or `step`) may be under way at a time. */
export class FakeClock extends SkewedClock {
  private advancing = false;
  private readonly holds = new Set<Promise<void>>();

  /**
   * @param quietTurns turns of the event loop without activity after which everything counts as settled; 0 for code that
   *   waits for nothing but promises and timers of this clock: then one turn does, whatever happened in it
   */
  constructor(
    startMs: number = DEFAULT_START_MS,
    private readonly quietTurns: number = QUIET_TURNS,
  ) {
    super(new TimeLine(), startMs, 1);
  }

  /** How many timers wait, on this clock and on all that share its time line. */
  get pendingTimers(): number {
    return this.line.timers.length;
  }

  /** Wall time (of this clock, in whole ms, rounded up) at which the next timer fires; null when none waits. */
  nextTimerAt(): number | null {
    const next = this.line.timers[0];
    return next === undefined ? null : this.now() + Math.ceil(next.at - Math.floor(this.line.elapsedMs));
  }

  /** Another clock on the same time line: `offsetMs` off this one's wall now, and running at `rate` (default 1). */
  skewed(options: { offsetMs?: number; rate?: number } = {}): SkewedClock {
    return new SkewedClock(this.line, this.now() + (options.offsetMs ?? 0), options.rate ?? 1);
  }

  /** Moves time on by `deltaMs`, running one by one the timers that come due, those set on the way included. */
  async advance(deltaMs: number): Promise<void> {
    if (!(deltaMs >= 0)) throw new RangeError(`time cannot move by ${deltaMs} ms`);
    const target = this.line.elapsedMs + deltaMs;
    await this.exclusively(async () => {
      await this.flush();
      while (await this.runNext(target));
      this.line.elapsedMs = target;
    });
  }

  /** `advance` up to a wall time of this clock. */
  async advanceTo(wallMs: number): Promise<void> {
    await this.advance(wallMs - this.now());
  }

  /**
   * Moves to the next timer, runs it alone, and lets everything settle. False (and time stands still) when no timer
   * waits, or none within `maxMs`.
   */
  async step(maxMs: number = Infinity): Promise<boolean> {
    return this.exclusively(async () => {
      await this.flush();
      return this.runNext(this.line.elapsedMs + maxMs);
    });
  }

  /** Lets all promise reactions run without moving time. */
  async settle(): Promise<void> {
    await this.exclusively(() => this.flush());
  }

  /**
   * For test doubles whose work continues over turns of the event loop without a timer: says that something happened,
   * so that `advance` waits for what follows from it.
   */
  noteActivity(): void {
    this.line.activity++;
  }

  /** Time does not move until the function that this returns is called: something real is under way. */
  hold(): () => void {
    let release!: () => void;
    const held = new Promise<void>((resolve) => (release = resolve));
    this.holds.add(held);
    return () => {
      this.holds.delete(held);
      release();
    };
  }

  private async runNext(untilMs: number): Promise<boolean> {
    const timer = this.line.timers[0];
    if (timer === undefined || timer.at > untilMs) return false;
    if (timer.chain > MAX_CHAIN) throw new Error('a timer without delay sets itself again for ever');
    this.line.chain = timer.chain;
    this.line.timers.shift();
    this.line.elapsedMs = timer.at;
    timer.callback();
    await this.flush();
    return true;
  }

  /**
   * One turn of the event loop empties the whole queue of promise reactions, however long the chain. More turns are
   * for code that itself waits for a turn; they go on until nothing moves any more.
   */
  private async flush(): Promise<void> {
    await this.turns();
    while (this.holds.size > 0) {
      await Promise.race(this.holds);
      await this.turns();
    }
  }

  private async turns(): Promise<void> {
    if (this.quietTurns === 0) return nextTurn();
    let quiet = 0;
    for (let turn = 0; quiet < this.quietTurns; turn++) {
      if (turn >= MAX_TURNS) throw new Error('the code under test does not settle: it polls without a timer');
      const before = this.line.activity;
      await nextTurn();
      quiet = this.line.activity === before ? quiet + 1 : 0;
    }
  }

  private async exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (this.advancing) throw new Error('time is already being advanced: await the other call first');
    this.advancing = true;
    try {
      return await work();
    } finally {
      this.advancing = false;
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
