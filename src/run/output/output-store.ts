import { messageOf } from '../../errors.js';
import type { Clock } from '../../clock.js';
import { AttemptFile } from './attempt-file.js';
import type { AttemptLog } from './attempt-log.js';
import type { AttemptFacts, OutputSettings } from './settings.js';

export interface OutputWarnings {
  warn(facts: object, message: string): void;
}

/** The files of all attempts whose output this process reads. */
export class OutputStore {
  readonly #settings: OutputSettings;
  readonly #clock: Clock;
  readonly #log: OutputWarnings;
  readonly #open = new Set<AttemptFile>();
  /** One warning is enough until it works again. */
  #warned = false;

  /** `clock` measures patience; times in the files are those of the machine. */
  constructor(settings: OutputSettings, clock: Clock, log: OutputWarnings) {
    this.#settings = settings;
    this.#clock = clock;
    this.#log = log;
  }

  /** For one attempt that starts now. Never throws. */
  open(attempt: AttemptFacts): AttemptLog {
    const { folder, attemptLimitBytes } = this.#settings;
    const file = new AttemptFile({
      ...{ folder, attempt, limitBytes: attemptLimitBytes, clock: this.#clock, now: Date.now },
      onFailure: (error) => this.#failed(error),
      onWritten: () => (this.#warned = false),
    });
    this.#open.add(file);
    void file.closed.then(() => this.#open.delete(file));
    return file;
  }

  /** Resolves when what has ended is on the disk. */
  async settled(): Promise<void> {
    const ended = [...this.#open].filter(({ hasEnded }) => hasEnded);
    await Promise.all(ended.map(({ closed }) => closed));
  }

  #failed(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    this.#log.warn(
      { folder: this.#settings.folder, err: messageOf(error) },
      'the output of runs cannot be written to disk: runs go on, and only the end of their output is kept, in their records',
    );
  }
}
