/**
 * Starts commands through a small process beside the worker, the launcher. A fork copies the page tables of the process that
 * forks, and waits until the copy has become the command: in a worker of 160 MiB that costs some 4 ms of CPU, one command
 * after another, on the thread that renews the lease and reads etcd. The launcher has a tenth of that memory and nothing
 * else to do. It also reads what commands write, hides secrets in it, writes it to disk and keeps the end; only that travels
 * to the worker, when the run is over. It reads no faster than leaves it time for starts (`../output/paced-reading.ts`).
 *
 *     worker ── order (what, valid until) ──▶ launcher ── fork ──▶ command
 *            ◀── starting, started, result ──
 *
 * The worker decides that a command starts, and when; see `remote-command.ts` for what it makes of the answers.
 *
 * Invariants
 * - An order says until when it is valid, at most for a moment and never longer than the worker trusts its lease. The
 *   launcher says "starting", then looks at the clock, then starts: an order that was not said to be starting when its time
 *   is over is never carried out, whatever becomes of the launcher.
 * - When the worker is gone (the pipe ends), the launcher starts nothing any more and kills what must not outlive the worker.
 *   The watchdog does not rely on it: it kills the launcher first, then the runs (`../watchdog/watchdog.ts`).
 * - When the launcher is gone, what it was about to start is ended (copies of it carry its marker), then each of its
 *   runs; only then are they over.
 * - No launcher, or none that answers: the worker starts commands itself. A launcher that stays silent is killed and
 *   replaced, with growing pauses.
 */
import { Backoff } from '../../backoff.js';
import { sleep, type Clock, type Timer } from '../../clock.js';
import type { Service } from '../../service.js';
import type { Logger } from '../../telemetry/logger.js';
import { endTree } from '../end-tree.js';
import { registerLiveTree } from '../live-trees.js';
import { HAS_PROC, isProcess } from '../process-table.js';
import type { OutputSettings } from '../output/settings.js';
import type { LauncherWatch } from '../watchdog/worker-watch.js';
import { LauncherProcess } from './launcher-process.js';
import { OF_NO_RUN, type FromLauncher, type StartOrder, type ToLauncher } from './messages.js';
import { SignOfLife } from './sign-of-life.js';

export interface LauncherOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly random?: () => number;
  readonly watchdog?: LauncherWatch | undefined;
  /** It ended unasked, and another one is to take its place. */
  readonly onReplaced?: (() => void) | undefined;
  /** Where the whole output of commands is kept; by default nowhere. */
  readonly output?: OutputSettings | undefined;
  /** The program of the launcher; the compiled one of this package by default. */
  readonly entry?: string;
}

/** What the launcher says of one run. */
export type RunMessage = Exclude<FromLauncher, { type: 'ready' | 'pong' }>;

/** A run that was ordered. */
export interface OrderedRun {
  receive(message: RunMessage): void;
  /** The launcher has ended, said everything, and no copy of it is left. */
  launcherGone(): void;
}

/** What a run that was ordered can ask of the launcher that got the order. */
export interface LauncherLink {
  kill(reason: string, graceMs: number): void;
  /** Nothing more is to be heard of the run. */
  forget(): void;
  /** It has answered everything that it was asked. */
  readonly hasAnswered: boolean;
  /** It should not be relied on. */
  readonly isSilent: boolean;
  /** Kills the launcher: nothing else makes sure that it does not start this run. */
  replace(): void;
}

const START_PATIENCE_MS = 3_000;
const READY_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 2_000;
const ASK_EVERY_MS = 1_000;
const FIRST_RESTART_MS = 50;
const MAX_RESTART_MS = 30_000;
/** One that lived so long was no failed start. */
const HEALTHY_AFTER_MS = 60_000;

interface Current {
  readonly process: LauncherProcess;
  readonly life: SignOfLife;
  readonly runs: Map<number, OrderedRun>;
  isReady: boolean;
}

export class Launcher implements Service {
  readonly #options: LauncherOptions;
  readonly #stopped = new AbortController();
  readonly #backoff: Backoff;
  #current: Current | null = null;
  #lastId = 0;
  /** For the launcher that there is now, in this turn of the event loop. */
  #outbox: ToLauncher[] = [];
  #askTimer: Timer | null = null;
  #supervising: Promise<void> | null = null;
  #started: Promise<void> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(options: LauncherOptions) {
    this.#options = options;
    this.#backoff = new Backoff(FIRST_RESTART_MS, MAX_RESTART_MS, options.random);
  }

  /** Of the process that there is now; null when there is none. */
  get pid(): number | null {
    return this.#current?.process.pid ?? null;
  }

  /**
   * Resolves when there is a launcher, or when its first start has failed or takes long: a worker works without one, and it
   * is tried again. Never rejects.
   */
  start(): Promise<void> {
    if (this.#stopping !== null) return Promise.resolve();
    return (this.#started ??= new Promise((resolve) => {
      const patience = this.#options.clock.setTimer(START_PATIENCE_MS, resolve);
      const onReady = (): void => {
        patience.cancel();
        resolve();
      };
      this.#supervising ??= this.#supervise(onReady).finally(onReady);
    }));
  }

  /** Ends the launcher, and with it the commands that it still runs, except those that may outlive the worker. */
  stop(): Promise<void> {
    return (this.#stopping ??= this.#end());
  }

  /** A command will start soon: starts the launcher if nobody has, and asks it for a sign of life. */
  expect(): void {
    void this.start();
    this.#current?.life.ask();
  }

  /** Whether an order would be carried out at once, as far as one can know. */
  get isReady(): boolean {
    const current = this.#current;
    return current !== null && current.isReady && !current.life.isSilent && !current.process.isBehind;
  }

  /** Only while it `isReady`. Orders of one turn of the event loop share one write. */
  order(order: Omit<StartOrder, 'id'>, run: OrderedRun): LauncherLink {
    const current = this.#current;
    if (current === null) throw new Error('there is no launcher');
    const id = (this.#lastId += 1);
    current.runs.set(id, run);
    this.#send(current, { type: 'start', id, ...order });
    this.#askLater();
    return {
      kill: (reason, graceMs) => {
        this.#send(current, { type: 'kill', id, reason, graceMs });
        current.life.ask();
      },
      forget: () => void current.runs.delete(id),
      get hasAnswered() {
        return !current.life.isAsked;
      },
      get isSilent() {
        return current.life.isSilent;
      },
      replace: () => this.#replace(current),
    };
  }

  #send(to: Current, message: ToLauncher): void {
    // One that is gone is told nothing; its runs hear of that.
    if (to !== this.#current) return;
    this.#outbox.push(message);
    if (this.#outbox.length > 1) return;
    queueMicrotask(() => {
      const messages = this.#outbox;
      this.#outbox = [];
      if (to !== this.#current) return;
      this.#options.watchdog?.flush();
      to.process.send(messages);
    });
  }

  #replace({ process }: Current): void {
    this.#options.log.warn({ pid: process.pid }, 'the launcher does not answer; replacing it');
    process.kill();
  }

  /** While it runs something, a freeze shows also when nothing is asked of it. */
  #askLater(): void {
    this.#askTimer ??= this.#options.clock.setTimer(ASK_EVERY_MS, () => {
      this.#askTimer = null;
      const current = this.#current;
      if (current === null || current.runs.size === 0) return;
      current.life.ask();
      this.#askLater();
    });
  }

  async #supervise(onReady: () => void): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#isStopped()) {
      const startedMs = clock.monotonicMs();
      const current = this.#begin(onReady);
      const { process, life } = current;
      const readyTimer = clock.setTimer(READY_LIMIT_MS, () => {
        if (!current.isReady) process.kill();
      });
      const reason = await process.gone;
      readyTimer.cancel();
      life.cancel();
      this.#current = null;
      const wasStopped = this.#isStopped();
      if (!wasStopped) {
        const level = current.isReady ? 'warn' : 'error';
        log[level](
          { pid: process.pid, reason, runs: current.runs.size },
          'the launcher ended; until there is another one the worker starts commands itself',
        );
      }
      const buried = this.#buryRuns(current);
      if (wasStopped) return buried;
      this.#options.onReplaced?.();
      if (clock.monotonicMs() - startedMs > HEALTHY_AFTER_MS) this.#backoff.reset();
      onReady();
      await sleep(clock, this.#backoff.nextMs(), this.#stopped.signal).catch(() => undefined);
    }
  }

  #begin(onReady: () => void): Current {
    const { clock, log, watchdog, output, entry } = this.#options;
    const runs: Current['runs'] = new Map();
    const process = new LauncherProcess(entry, (message) => {
      if (message.type === 'pong') current.life.answered();
      else if (message.type === 'ready') {
        current.isReady = true;
        log.debug({ pid: process.pid }, 'the launcher is ready');
        onReady();
      } else if (message.type === 'log' && message.id === OF_NO_RUN)
        log[message.level](message.facts, message.text);
      else runs.get(message.id)?.receive(message);
    });
    const life = new SignOfLife(
      clock,
      () => this.#send(current, { type: 'ping' }),
      () => this.#replace(current),
    );
    if (output !== undefined) process.send([{ type: 'output', settings: output }]);
    const current: Current = { process, life, runs, isReady: false };
    this.#current = current;
    const { pid, marker, startTicks } = process;
    if (pid !== null) {
      watchdog?.launcherStarted({ marker, group: { id: pid, startTicks } });
      const unregister = registerLiveTree({
        tree: { processGroupId: pid, marker, startTicks: startTicks ?? 0 },
        get mainAlive() {
          return isProcess(pid, startTicks);
        },
        onKilled: () => undefined,
      });
      void process.gone.then(unregister);
    }
    return current;
  }

  async #buryRuns({ process, runs }: Current): Promise<void> {
    const { log, clock, watchdog } = this.#options;
    const { pid, marker, startTicks } = process;
    if (pid !== null) {
      await endTree({ marker, group: HAS_PROC ? { id: pid, startTicks } : null }, log, clock);
      watchdog?.launcherEnded(marker);
    }
    for (const run of [...runs.values()]) run.launcherGone();
  }

  async #end(): Promise<void> {
    this.#stopped.abort(new Error('the launcher was stopped'));
    this.#askTimer?.cancel();
    const current = this.#current;
    if (current !== null) {
      current.process.endInput();
      const timer = this.#options.clock.setTimer(STOP_LIMIT_MS, () => current.process.kill());
      await current.process.gone;
      timer.cancel();
    }
    await this.#supervising;
  }

  #isStopped(): boolean {
    return this.#stopped.signal.aborted;
  }
}
