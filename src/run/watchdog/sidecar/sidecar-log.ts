import { write } from 'node:fs';
import type { TerminationLog } from '../../tree-termination.js';

const LEVELS = { info: 30, warn: 40, error: 50 } as const;
const STDERR = 2;

/**
 * Lines like the worker's own, on the stderr that both share: nobody else is left to report. Writes never block the
 * watchdog, and what cannot be written is dropped.
 */
export class SidecarLog implements TerminationLog {
  format: 'json' | 'pretty' = 'json';
  readonly #workerPid: number;
  #pending = 0;

  constructor(workerPid: number) {
    this.#workerPid = workerPid;
  }

  /** Nothing waits to be written. */
  get flushed(): boolean {
    return this.#pending === 0;
  }

  info(facts: object, message: string): void {
    this.#write('info', facts, message);
  }

  warn(facts: object, message: string): void {
    this.#write('warn', facts, message);
  }

  error(facts: object, message: string): void {
    this.#write('error', facts, message);
  }

  #write(level: keyof typeof LEVELS, facts: object, message: string): void {
    const time = new Date().toISOString();
    const all = { workerPid: this.#workerPid, ...facts };
    const line =
      this.format === 'json'
        ? JSON.stringify({ level: LEVELS[level], time, ...all, msg: `watchdog: ${message}` })
        : `[${time}] ${level.toUpperCase()}: watchdog: ${message} ${JSON.stringify(all)}`;
    this.#pending += 1;
    write(STDERR, `${line}\n`, () => (this.#pending -= 1));
  }
}
