import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { encode, type Message } from './messages.js';

/** Its heap stays below 8 MiB; the limits keep V8 from taking more when it could. */
const NODE_FLAGS = ['--max-old-space-size=32', '--max-semi-space-size=1', '--no-warnings'];
/** What Node itself may need to start, or to verify a certificate. Nothing secret goes through the environment. */
const PASSED_VARIABLES = ['LD_LIBRARY_PATH', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];

const DEFAULT_ENTRY = fileURLToPath(new URL('./sidecar/main.js', import.meta.url));

/** One process of the watchdog, seen from the worker. Never throws. */
export class SidecarProcess {
  /** null when the system refused to start it. */
  readonly pid: number | null;
  /** False when it ended before it was ready. */
  readonly ready: Promise<boolean>;
  /** Resolves, with the reason, when it has ended. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;

  constructor(entry: string = DEFAULT_ENTRY) {
    const env: NodeJS.ProcessEnv = {};
    for (const name of PASSED_VARIABLES) if (process.env[name]) env[name] = process.env[name];
    // A session of its own: neither the terminal's signals nor those to the worker's group reach it. Its stderr is the
    // worker's, so that it is heard when the worker is gone.
    this.#child = spawn(process.execPath, [...NODE_FLAGS, entry, String(process.pid)], {
      ...{ detached: true, cwd: '/', env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.pid = this.#child.pid ?? null;
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message));
      this.#child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    // Without a file descriptor to spare there are no pipes.
    const { stdin, stdout } = this.#child as Partial<ChildProcess>;
    const isReady = new Promise<boolean>((resolve) => stdout?.once('data', () => resolve(true)));
    this.ready = Promise.race([isReady, this.ended.then(() => false)]);
    // Both only say that it has ended, or is about to.
    stdin?.on('error', () => undefined);
    stdout?.on('error', () => undefined);
  }

  /**
   * Hands the messages to the kernel before it returns; when the pipe is full they are kept, and `onTaken` is called when
   * they have gone out.
   */
  send(messages: readonly Message[], onTaken: () => void): 'sent' | 'waiting' {
    const { stdin } = this.#child as Partial<ChildProcess>;
    if (!stdin) return 'sent';
    let waiting = true;
    stdin.write(encode(messages), (error) => {
      // A pipe that is broken takes nothing more; the end of the process follows.
      if (waiting && !error) onTaken();
    });
    waiting = stdin.writableLength > 0;
    return waiting ? 'waiting' : 'sent';
  }

  /** Says that no more messages come. */
  endInput(): void {
    (this.#child as Partial<ChildProcess>).stdin?.end();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
