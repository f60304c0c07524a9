/** The output folder of one worker: what is written there by the worker itself, and what is removed. */
import { join } from 'node:path';
import { sleep, type Clock, type Timer } from '../../clock.js';
import { messageOf } from '../../errors.js';
import type { Service } from '../../service.js';
import type { Logger } from '../../telemetry/logger.js';
import { abandonedFolders, removeIfEmpty, touchFolder } from './abandoned.js';
import type { AttemptLog } from './attempt-log.js';
import { OutputStore } from './output-store.js';
import { attemptName, placeOf } from './place.js';
import { Pruner } from './prune.js';
import type { AttemptFacts, OutputSettings } from './settings.js';

/** After the start of the worker, which has other things to do first. */
const FIRST_LOOK_MS = 5_000;
const LOOK_EVERY_MS = 10 * 60_000;
/** Between two looks, however much is written. */
const MIN_PAUSE_MS = 10_000;
/** A tenth of the limit written since the last look is a reason for another. */
const LOOK_AFTER_SHARE = 0.1;
const LAST_WRITES_MS = 1_500;

export interface OutputKeeperOptions {
  readonly settings: OutputSettings;
  readonly clock: Clock;
  readonly log: Logger;
}

export class OutputKeeper implements Service {
  readonly settings: OutputSettings;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #store: OutputStore;
  readonly #pruner = new Pruner();
  readonly #abandonedPruner = new Pruner();
  /** How many hold them, by path. */
  readonly #live = new Map<string, number>();
  readonly #stopped = new AbortController();
  #writtenBytes = 0;
  #timer: Timer | null = null;
  #pruning: Promise<void> | null = null;
  #lookedAtMs = -Infinity;

  constructor({ settings, clock, log }: OutputKeeperOptions) {
    this.settings = settings;
    this.#clock = clock;
    this.#log = log;
    this.#store = new OutputStore(settings, clock, log);
  }

  start(): Promise<void> {
    this.#lookIn(FIRST_LOOK_MS);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the worker stops'));
    this.#timer?.cancel();
    const timeout = new AbortController();
    const late = sleep(this.#clock, LAST_WRITES_MS, timeout.signal).catch(() => undefined);
    await Promise.race([Promise.all([this.#store.settled(), this.#pruning]), late]);
    timeout.abort(new Error('stopped'));
  }

  /** For an attempt whose output this process reads. */
  open(attempt: AttemptFacts): AttemptLog {
    return this.#store.open(attempt);
  }

  /** Its output stays for as long as it runs. To be called at its end, with what it has written. */
  hold(attempt: AttemptFacts): (writtenBytes: number) => void {
    const path = pathOf(this.settings.folder, attempt);
    if (path === null) return () => undefined;
    this.#live.set(path, (this.#live.get(path) ?? 0) + 1);
    return (writtenBytes) => {
      const holders = this.#live.get(path) ?? 1;
      if (holders > 1) this.#live.set(path, holders - 1);
      else this.#live.delete(path);
      this.#written(Math.min(writtenBytes, this.settings.attemptLimitBytes));
    };
  }

  #written(bytes: number): void {
    this.#writtenBytes += bytes;
    if (this.#writtenBytes < this.settings.totalLimitBytes * LOOK_AFTER_SHARE) return;
    this.#writtenBytes = 0;
    this.#lookIn(Math.max(0, this.#lookedAtMs + MIN_PAUSE_MS - this.#clock.monotonicMs()));
  }

  #lookIn(delayMs: number): void {
    if (this.#stopped.signal.aborted) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(delayMs, () => {
      this.#pruning ??= this.#prune().finally(() => (this.#pruning = null));
    });
  }

  async #prune(): Promise<void> {
    this.#lookedAtMs = this.#clock.monotonicMs();
    const { folder, totalLimitBytes, maxAgeMs } = this.settings;
    const nowMs = Date.now();
    const limits = { totalLimitBytes, maxAgeMs, nowMs, signal: this.#stopped.signal };
    try {
      await touchFolder(folder, nowMs);
      const isLive = (path: string): boolean => this.#live.has(path);
      const { files, bytes } = await this.#pruner.prune({ ...limits, folders: [folder], isLive });
      if (files > 0) this.#log.debug({ files, bytes }, 'removed the oldest output');
      const folders = await abandonedFolders(folder, nowMs);
      const left = await this.#abandonedPruner.prune({ ...limits, folders, isLive: () => false });
      if (left.files > 0)
        this.#log.info(
          { files: left.files, bytes: left.bytes, folders },
          'removed the oldest output of workers that are no more',
        );
      for (const abandoned of folders) await removeIfEmpty(abandoned);
    } catch (error) {
      this.#log.debug({ err: messageOf(error) }, 'the output folder was not looked through');
    }
    this.#lookIn(LOOK_EVERY_MS);
  }
}

function pathOf(folder: string, attempt: AttemptFacts): string | null {
  const place = placeOf(folder, attempt.runId);
  return place && join(place.folder, attemptName(place.name, attempt));
}
