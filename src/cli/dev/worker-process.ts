/**
 * One worker as a process of its own, from the same program as this one. The terminal's Ctrl-C does not reach it, since
 * dev decides when it stops; and when dev is killed, its guard stops it, together with the commands that it runs.
 */
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Readable } from 'node:stream';
import { spawnGuarded } from '../../etcd/embedded/guarded-process.js';
import { EtcronError, messageOf } from '../../errors.js';

export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WorkerProcess {
  readonly name: string;
  readonly pid: number;
  /** Resolves when the process has ended and its output has been read; never rejects. */
  readonly exited: Promise<WorkerExit>;
  signal(signal: NodeJS.Signals): void;
}

export interface WorkerProcessOptions {
  readonly name: string;
  /** The flags that say where etcd is. */
  readonly flags: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Its output is appended to `<name>.log` in this folder. */
  readonly logDir: string;
  /** Each line of output. */
  readonly onLine: (line: string, isError: boolean) => void;
}

/** Of this very installation. */
const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));

/** Rejects with ETCRON_WORKER_START when the system refuses another process. */
export function startWorkerProcess(options: WorkerProcessOptions): Promise<WorkerProcess> {
  const { name, flags, env, logDir, onLine } = options;
  const settings = ['--name', name, '--log-format', 'json', '--log-level', 'info'];
  const child = spawnGuarded(process.execPath, [PROGRAM, 'worker', ...settings, ...flags], {
    env,
    stopWhenOrphaned: true,
  });
  const logFile = createWriteStream(join(logDir, `${name}.log`), { flags: 'a' });
  // A full disk must not stop the show.
  logFile.on('error', () => undefined);
  const follow = (stream: Readable, isError: boolean): void => {
    createInterface({ input: stream }).on('line', (line) => {
      logFile.write(`${line}\n`);
      onLine(line, isError);
    });
  };
  follow(child.stdout!, false);
  follow(child.stderr!, true);
  let running = true;
  const exited = new Promise<WorkerExit>((resolve) => {
    child.once('close', (code, signal) => {
      running = false;
      logFile.end();
      resolve({ code, signal });
    });
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      logFile.end();
      reject(
        new EtcronError('ETCRON_WORKER_START', `worker ${name} could not be started: ${messageOf(error)}`),
      );
    });
    child.once('spawn', () => {
      const signal = (name: NodeJS.Signals): void => {
        if (running) child.kill(name);
      };
      resolve({ name, pid: child.pid!, exited, signal });
    });
  });
}
