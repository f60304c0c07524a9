import type { Readable, Writable } from 'node:stream';
import type { Launch } from './launch.js';

/**
 * Starts a process as the leader of a session and process group of its own: pipes for its output, exactly this
 * environment, nothing buffered. Its stdin is empty, or gets `stdin` and ends. Never throws and leaves no rejected promise.
 */
export type StartProcess = (launch: Launch) => StartedProcess | FailedStart;

export interface StartedProcess {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves in the turn in which the process is reaped; its output may still be open then. */
  readonly end: Promise<MainEnd>;
}

export interface MainEnd {
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** What kept a process from starting. */
export interface FailedStart {
  readonly error: Promise<unknown>;
}

/** A command may end, or close its stdin, before it has read everything. */
export function feed(stdin: Writable | null, text: string): void {
  stdin?.on('error', () => {});
  stdin?.end(text);
}
