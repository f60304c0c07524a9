import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { RUN_MARKER_VARIABLE } from '../child-environment.js';
import { readStartTicks } from '../process-table.js';
import { encode, makeReader, type FromLauncher, type ToLauncher } from './messages.js';
import { afterReading } from './sign-of-life.js';

/**
 * The less memory it has of its own, the less a fork has to copy: a small young generation, and no threads for V8 that
 * would compile and collect beside the main one. Its heap stays below 10 MiB.
 */
const NODE_FLAGS = [
  '--max-old-space-size=96',
  '--max-semi-space-size=1',
  '--v8-pool-size=0',
  '--no-warnings',
];
/** What Node itself may need to start. Everything that a command is to have comes with its order. */
const PASSED_VARIABLES = ['LD_LIBRARY_PATH'];

const DEFAULT_ENTRY = fileURLToPath(new URL('./main.js', import.meta.url));
/** After its end, until what it said has been read. */
const LAST_WORDS_MS = 1_000;

/** One process of the launcher, seen from the worker. Never throws. */
export class LauncherProcess {
  /** null when the system refused to start it. */
  readonly pid: number | null;
  /** In its environment: also the copies of it that are about to become commands have it. */
  readonly marker = randomBytes(16).toString('hex');
  readonly startTicks: number | null;
  /** Resolves, with the reason, when it has ended and everything that it said has been received. */
  readonly gone: Promise<string>;
  readonly #child: ChildProcess;

  constructor(entry: string | undefined, receive: (message: FromLauncher) => void) {
    const env: NodeJS.ProcessEnv = { [RUN_MARKER_VARIABLE]: this.marker };
    for (const name of PASSED_VARIABLES) if (process.env[name]) env[name] = process.env[name];
    // A session of its own: neither the terminal's signals nor those to the worker's group reach it.
    const child = spawn(process.execPath, [...NODE_FLAGS, entry ?? DEFAULT_ENTRY, String(process.pid)], {
      ...{ detached: true, env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child = child;
    this.pid = child.pid ?? null;
    this.startTicks = this.pid === null ? null : startTicksOf(this.pid);
    // Without a file descriptor to spare there are no pipes.
    const { stdin, stdout } = child as Partial<ChildProcess>;
    stdout?.setEncoding('utf8').on('data', makeReader(receive));
    // Both only say that it has ended, or is about to.
    stdin?.on('error', () => undefined);
    stdout?.on('error', () => undefined);
    this.gone = new Promise((resolve) => {
      if (child.pid === undefined) child.once('error', (error) => resolve(error.message));
      // Such as a signal that may not be sent.
      else child.on('error', () => undefined);
      child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
      // Somebody else may hold its end of the pipe.
      const cut = (): void => void afterReading().then(() => stdout?.destroy());
      child.once('exit', () => setTimeout(cut, LAST_WORDS_MS).unref());
    });
  }

  /** Hands the messages to the kernel before it returns, unless it is `behind`. */
  send(messages: readonly ToLauncher[]): void {
    (this.#child as Partial<ChildProcess>).stdin?.write(encode(messages));
  }

  /** It has not read what it was sent. */
  get isBehind(): boolean {
    return ((this.#child as Partial<ChildProcess>).stdin?.writableLength ?? 0) > 0;
  }

  /** Says that no more messages come. */
  endInput(): void {
    (this.#child as Partial<ChildProcess>).stdin?.end();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function startTicksOf(pid: number): number | null {
  try {
    return readStartTicks(pid);
  } catch {
    return null;
  }
}
