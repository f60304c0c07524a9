/** One running etcd server process: its output, its end, and whether it is healthy. */
import { createInterface } from 'node:readline';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { sleep, type Clock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import { spawnGuarded } from './guarded-process.js';

/** How many of the last lines of output are kept for error messages. */
const KEPT_LINES = 40;
const HEALTH_POLL_MS = 50;
const HEALTH_REQUEST_TIMEOUT_MS = 2_000;

export interface EtcdExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface EtcdProcess {
  readonly pid: number;
  /** Resolves when the process has ended and its output has been read; never rejects. */
  readonly exited: Promise<EtcdExit>;
  /** Whether the process has not ended yet. */
  readonly running: boolean;
  /** The last lines of its output, oldest first. */
  lastLines(): readonly string[];
  /** To the whole process group, since a binary may be a script around etcd. False when it is gone. */
  signal(signal: NodeJS.Signals): boolean;
  /** SIGTERM, and SIGKILL after `graceMs`. Resolves when it has ended. */
  stop(graceMs: number): Promise<EtcdExit>;
}

export interface SpawnEtcdOptions {
  clock: Clock;
  /** Default: `etcdEnvironment(process.env)`. */
  env?: NodeJS.ProcessEnv;
  removeWhenOrphaned?: string;
  onLine?: (line: string) => void;
}

/**
 * The environment for an etcd server or client: without `ETCD_*` and `ETCDCTL_*`, which would change its flags from
 * afar. etcd 3.4 starts on a processor other than x86-64 only when this variable names it.
 */
export function etcdEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const clean = Object.fromEntries(Object.entries(env).filter(([name]) => !/^ETCD(CTL)?_/.test(name)));
  if (process.arch === 'x64') return clean;
  return { ...clean, ETCD_UNSUPPORTED_ARCH: process.arch === 'ppc64' ? 'ppc64le' : process.arch };
}

/** Starts the server; it dies with this process. Rejects with the system's error when it cannot be started. */
export function spawnEtcd(
  binary: string,
  args: readonly string[],
  options: SpawnEtcdOptions,
): Promise<EtcdProcess> {
  const child = spawnGuarded(binary, args, {
    env: options.env ?? etcdEnvironment(process.env),
    ...(options.removeWhenOrphaned === undefined ? {} : { removeWhenOrphaned: options.removeWhenOrphaned }),
  });
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream! }).on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      options.onLine?.(line);
    });
  }
  let running = true;
  const exited = new Promise<EtcdExit>((resolve) => {
    child.once('close', (code, signal) => {
      running = false;
      resolve({ code, signal });
    });
  });

  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => {
      const etcd: EtcdProcess = {
        pid: child.pid!,
        exited,
        get running() {
          return running;
        },
        lastLines: () => lines,
        signal: (signal) => running && signalGroup(child.pid!, signal),
        async stop(graceMs) {
          if (!etcd.signal('SIGTERM')) return exited;
          const timer = options.clock.setTimer(graceMs, () => etcd.signal('SIGKILL'));
          try {
            return await exited;
          } finally {
            timer.cancel();
          }
        },
      };
      resolve(etcd);
    });
  });
}

function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

export interface HealthTls {
  ca: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
}

/**
 * Waits until the member behind `endpoint` says on `/health` that it is: it has a leader and a quorum answers a read.
 * Returns null then, and otherwise, in words, why not: the process ended, or `deadlineMs` passed.
 */
export async function waitUntilHealthy(
  etcd: EtcdProcess,
  endpoint: string,
  options: { clock: Clock; deadlineMs: number; tls?: HealthTls },
): Promise<string | null> {
  const giveUpAt = options.clock.monotonicMs() + options.deadlineMs;
  for (;;) {
    const problem = await healthProblem(endpoint, options.tls);
    // An answer on this port counts only while the process lives: on a port clash it would be somebody else's.
    if (!etcd.running) {
      const { code, signal } = await etcd.exited;
      return `it ended with ${signal === null ? `exit code ${code}` : `signal ${signal}`}`;
    }
    if (problem === null) return null;
    if (options.clock.monotonicMs() > giveUpAt) {
      return `it was not healthy after ${options.deadlineMs / 1000} s (${problem})`;
    }
    await sleep(options.clock, HEALTH_POLL_MS);
  }
}

function healthProblem(endpoint: string, tls?: HealthTls): Promise<string | null> {
  return new Promise((resolve) => {
    const url = `${endpoint}/health`;
    const options = { timeout: HEALTH_REQUEST_TIMEOUT_MS, agent: false as const, ...tls };
    const request = (tls ? httpsRequest : httpRequest)(url, options, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (body += part));
      response.on('error', (error) => resolve(error.message));
      response.on('end', () => {
        const healthy = response.statusCode === 200 && /"health":\s*"true"/.test(body);
        resolve(healthy ? null : `HTTP ${response.statusCode}: ${body.trim().slice(0, 200)}`);
      });
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', (error) => resolve(messageOf(error)));
    request.end();
  });
}
