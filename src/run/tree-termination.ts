/**
 * Ends the process tree of one run and knows when nothing of it is left.
 *
 *   idle ── begin ──▶ asked (SIGTERM sent once) ── grace over ──▶ forced (SIGKILL until nothing is left) ──▶ done
 *                       └───────────── all ended by themselves ─────────────────────────────────────────────▲
 *
 * - While the main process lives its group cannot belong to anybody else, so the group is signalled as a whole, at once.
 *   Everything outside it, and everything once the main process has been reaped, is signalled one by one after a look.
 * - SIGTERM is sent once to each process of the first look. What appears later may be the clean-up that the SIGTERM
 *   started, so it is left alone until the grace is over.
 * - SIGKILL is repeated: a process can fork between the look and the signal. The tree counts as gone only when a look
 *   that began after the last known process had ended finds none; where processes were killed, several looks in a row: one that
 *   forks and ends, or executes a program, just when it is looked at is not seen.
 * - A look that fails is repeated. A process that may not be signalled (another user's) is named in the log and given up:
 *   nothing here can end it. One that survives SIGKILL (stuck in the kernel) is waited for, because while it exists
 *   the run is not over.
 */
import type { Clock, Timer } from '../clock.js';
import type { ProcessInfo } from './process-table.js';
import { findTree, isAlive, signalGroup, signalProcess, type ProcessTree } from './process-tree.js';

const FIRST_POLL_MS = 5;
const MAX_POLL_MS = 200;
/** So many looks in a row find nothing before what had to be killed counts as gone. */
const LOOKS_AFTER_KILL = 3;
const STUCK_AFTER_MS = 10_000;

/** The part of a logger that is needed here. */
export interface TerminationLog {
  warn(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

export class TreeTermination {
  readonly #tree: ProcessTree;
  readonly #clock: Clock;
  readonly #log: TerminationLog;
  /** Also what left the session, found by its marker. */
  #marked = false;
  #mainAlive = true;
  #forced = false;
  #forcedAtMs = 0;
  #termDue = true;
  /** Monotonic time at which SIGTERM gives way to SIGKILL. */
  #deadlineMs = Infinity;
  #deadlineTimer: Timer | null = null;
  #wake: (() => void) | null = null;
  readonly #asked = new Set<string>();
  readonly #givenUp = new Set<string>();
  #done: Promise<number> | null = null;

  constructor(tree: ProcessTree, clock: Clock, log: TerminationLog) {
    this.#tree = tree;
    this.#clock = clock;
    this.#log = log;
  }

  /** Whether `begin` has been called. */
  get begun(): boolean {
    return this.#done !== null;
  }

  /**
   * Begins to end the tree, or makes an ending under way more urgent: the earlier SIGKILL wins. `marked` extends it to
   * processes that left the session. Resolves, never rejects, when the tree is gone, with the number of processes
   * that the first look found.
   */
  begin(graceMs: number, marked: boolean): Promise<number> {
    const deadlineMs = this.#clock.monotonicMs() + Math.max(0, graceMs);
    if (marked && !this.#marked) {
      this.#marked = true;
      this.#termDue = true;
    }
    if (graceMs <= 0) this.#force();
    else if (!this.begun && this.#mainAlive) signalGroup(this.#tree.processGroupId, 'SIGTERM');
    if (!this.#forced && deadlineMs < this.#deadlineMs) {
      this.#deadlineMs = deadlineMs;
      this.#deadlineTimer?.cancel();
      this.#deadlineTimer = this.#clock.setTimer(graceMs, () => this.#force());
    }
    this.#wake?.();
    this.#done ??= this.#run(this.#mainAlive);
    return this.#done;
  }

  /** The main process has ended and been reaped: from now on its group id alone proves nothing. */
  mainEnded(): void {
    this.#mainAlive = false;
    this.#wake?.();
  }

  #force(): void {
    if (this.#forced) return;
    this.#forced = true;
    this.#forcedAtMs = this.#clock.monotonicMs();
    if (this.#mainAlive) signalGroup(this.#tree.processGroupId, 'SIGKILL');
    this.#wake?.();
  }

  async #run(groupAsked: boolean): Promise<number> {
    let known: ProcessInfo[] | null = null;
    let found: number | null = null;
    let pollMs = FIRST_POLL_MS;
    let looksWithNone = 0;
    for (;;) {
      const asking = this.#termDue;
      try {
        if (known === null || asking) {
          this.#termDue = false;
          known = await this.#look();
          found ??= known.length;
          if (asking && !this.#forced) this.#ask(known, groupAsked);
        }
        if (this.#forced) this.#kill(known);
        known = known.filter((each) => isAlive(each) && !this.#givenUp.has(nameOf(each)));
        if (known.length === 0 && !this.#mainAlive) {
          known = await this.#look();
          looksWithNone = known.length === 0 ? looksWithNone + 1 : 0;
          if (looksWithNone >= (this.#forced ? LOOKS_AFTER_KILL : 1) && !this.#termDue) break;
          if (looksWithNone > 0) await this.#pause(FIRST_POLL_MS);
          continue;
        }
      } catch (error) {
        known = null;
        this.#termDue ||= asking;
        this.#log.warn({ err: error }, 'cannot look at the processes of a run; trying again');
      }
      if (known !== null && this.#termDue) continue;
      await this.#pause(known !== null && this.#mainAlive && !this.#forced ? null : pollMs);
      pollMs = Math.min(MAX_POLL_MS, pollMs * 1.5);
    }
    this.#deadlineTimer?.cancel();
    return found ?? 0;
  }

  async #look(): Promise<ProcessInfo[]> {
    const found = await findTree(this.#tree, this.#marked);
    return found.filter((each) => !this.#givenUp.has(nameOf(each)));
  }

  #ask(known: readonly ProcessInfo[], groupAsked: boolean): void {
    for (const each of known) {
      if (this.#asked.has(nameOf(each))) continue;
      this.#asked.add(nameOf(each));
      if (groupAsked && each.processGroupId === this.#tree.processGroupId) continue;
      signalProcess(each, 'SIGTERM');
    }
  }

  #kill(known: readonly ProcessInfo[]): void {
    const pids = known.map(({ pid }) => pid);
    if (pids.length > 0 && this.#clock.monotonicMs() - this.#forcedAtMs > STUCK_AFTER_MS) {
      this.#forcedAtMs = Infinity;
      this.#log.error({ pids }, 'processes of a run survive SIGKILL; the run goes on until they are gone');
    }
    for (const each of known) {
      if (signalProcess(each, 'SIGKILL') !== 'denied') continue;
      if (each.pid === this.#tree.processGroupId) continue;
      this.#givenUp.add(nameOf(each));
      this.#log.error({ pid: each.pid }, "cannot end a process of a run: it is another user's");
    }
  }

  /** Until something changes or, with a number, until it is time for the next look. */
  #pause(pollMs: number | null): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | null = null;
      this.#wake = () => {
        timer?.cancel();
        this.#wake = null;
        resolve();
      };
      if (pollMs !== null) timer = this.#clock.setTimer(pollMs, this.#wake);
    });
  }
}

function nameOf({ pid, startTicks }: ProcessInfo): string {
  return `${pid}@${startTicks}`;
}
