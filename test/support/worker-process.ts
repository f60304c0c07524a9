/** One real worker process, which cannot outlive the process that started it. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { ChildProcess } from 'node:child_process';
import { spawnGuarded } from '../../src/etcd/embedded/guarded-process.js';

export interface WorkerProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly pid: number;
  /** Everything it logged so far. */
  readonly log: () => string;
  readonly logFile: string;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface WorkerProcessOptions {
  /** The compiled `cli/main.js`. */
  readonly program: string;
  readonly name: string;
  readonly endpoints: readonly string[];
  readonly prefix: string;
  /** Its HOME and working folder, without a configuration file. */
  readonly folder: string;
  /** Appended to, in JSON lines. */
  readonly logFile: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export function spawnWorker(options: WorkerProcessOptions): WorkerProcess {
  const { program, name, endpoints, prefix, folder, logFile, args = [], env = {} } = options;
  const where = ['--name', name, '--endpoints', endpoints.join(','), '--prefix', prefix];
  const child = spawnGuarded(
    process.execPath,
    [program, 'worker', ...where, '--log-format', 'json', ...args],
    {
      // The API takes a third of a second of processor time at the start; tests that need it say so by `--listen`.
      env: { PATH: process.env.PATH ?? '', HOME: folder, ETCRON_LISTEN: 'off', ...env },
      cwd: folder,
      stopWhenOrphaned: true,
    },
  );
  if (child.pid === undefined) throw new Error(`worker ${name} could not be started`);
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (chunk: Buffer) => appendFileSync(logFile, chunk));
  }
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('exit', (code, signal) => resolve({ code, signal }));
  });
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  return { name, child, pid: child.pid, log, logFile, exited };
}

export function isAlive({ child }: WorkerProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}

/** The process id of its watchdog; null while there is none. */
export function watchdogOf(worker: WorkerProcess): number | null {
  return childOf(worker, '/run/watchdog/');
}

/** The process id of its launcher; null while there is none. */
export function launcherOf(worker: WorkerProcess): number | null {
  return childOf(worker, '/run/launcher/');
}

function childOf({ pid }: WorkerProcess, program: string): number | null {
  const children = readProc(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean);
  const found = children.find((child) => readProc(`/proc/${child}/cmdline`).includes(program));
  return found === undefined ? null : Number(found);
}

/** Empty for a process that is gone. */
function readProc(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
