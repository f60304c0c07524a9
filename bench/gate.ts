/** Holds commands until it is opened: they read from a named pipe that only this process can end. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';

export class Gate {
  readonly #path: string;
  readonly #file: number;

  constructor(path: string) {
    execFileSync('mkfifo', [path]);
    this.#path = path;
    // For reading too, which does not wait for a reader.
    this.#file = openSync(path, 'r+');
  }

  /** A line for bash that ends when the gate is opened, or this process has ended. */
  get waiting(): string {
    return `[ ! -p '${this.#path}' ] || read -r _ < '${this.#path}'; exit 0`;
  }

  /** For good: those that come later do not wait. */
  open(): void {
    rmSync(this.#path);
    closeSync(this.#file);
  }
}
