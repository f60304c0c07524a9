import type { Readable } from 'node:stream';
import type { AttemptLog } from './attempt-log.js';
import { readBudget, type ReadBudget } from './read-budget.js';

/**
 * Reads streams as fast as what they bring can be kept, and as the budget of the process allows. What is not read waits in
 * the pipe, and its writer with it.
 */
export class PacedReading {
  readonly #log: AttemptLog;
  readonly #budget: ReadBudget;
  #heldBack = false;
  #paused = 0;

  constructor(log: AttemptLog, budget: ReadBudget = readBudget) {
    this.#log = log;
    this.#budget = budget;
  }

  /** Resolves when the stream has ended, or failed, which ends it too. */
  read(stream: Readable, into: (chunk: Buffer) => void, onError: (error: Error) => void): Promise<void> {
    return new Promise((resolve) => {
      stream.on('data', (chunk: Buffer) => {
        into(chunk);
        const mayGoOn = this.#budget.spend(chunk.length);
        if (mayGoOn && !this.#log.isFull) return;
        stream.pause();
        this.#heldBack = true;
        this.#paused += 1;
        void this.#room(mayGoOn).then(() => {
          this.#paused -= 1;
          stream.resume();
        });
      });
      stream.on('error', onError);
      stream.on('close', resolve);
    });
  }

  /** Whether a stream was kept waiting by us since the last call: then it is no wonder that it has not ended. */
  takeHeldBack(): boolean {
    const was = this.#heldBack || this.#paused > 0;
    this.#heldBack = false;
    return was;
  }

  /** What was read by other means; resolves when more may come. */
  async took(bytes: number): Promise<void> {
    const mayGoOn = this.#budget.spend(bytes);
    if (!mayGoOn || this.#log.isFull) await this.#room(mayGoOn);
  }

  async #room(isInBudget: boolean): Promise<void> {
    if (!isInBudget) await new Promise<void>((resolve) => this.#budget.whenMore(resolve));
    while (this.#log.isFull) await this.#log.room();
  }
}
