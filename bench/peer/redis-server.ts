/** A real Redis as a child process that keeps what it has acknowledged: every write is on disk before its reply. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePorts } from '../../src/etcd/embedded/free-port.js';
import { spawnGuarded } from '../../src/etcd/embedded/guarded-process.js';
import type { RedisBinary } from './find-redis.js';

const READY_WITHIN_MS = 20_000;
const POLL_MS = 50;

export interface RedisServer {
  readonly port: number;
  readonly pid: number;
  /** Ends it and deletes its data. */
  stop(): Promise<void>;
}

/** With an append-only file that is synced before each reply, like etcd's log; no snapshots beside it. */
export async function startRedis(binary: RedisBinary): Promise<RedisServer> {
  const dir = await mkdtemp(join(tmpdir(), 'etcron-redis-'));
  const [port] = await freePorts(1);
  const args = [
    ...['--bind', '127.0.0.1', '--port', String(port), '--dir', dir, '--daemonize', 'no'],
    ...['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''],
  ];
  const child = spawnGuarded(binary.path, args, { env: binary.env, removeWhenOrphaned: dir });
  const lines: string[] = [];
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (data: Buffer) => lines.push(data.toString()) > 20 && lines.shift());
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = async (): Promise<void> => {
    // All that it holds is thrown away.
    child.kill('SIGKILL');
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await answers(port!, () => child.exitCode === null && child.signalCode === null, lines);
    return { port: port!, pid: child.pid!, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answers(port: number, runs: () => boolean, lines: readonly string[]): Promise<void> {
  const giveUpAt = performance.now() + READY_WITHIN_MS;
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => POLL_MS });
  client.on('error', () => undefined);
  try {
    for (;;) {
      const answer = await Promise.race([client.ping().catch(() => null), sleep(POLL_MS * 10, null)]);
      if (answer === 'PONG') return;
      if (!runs()) throw new Error(`redis-server ended at its start:\n${lines.join('')}`);
      if (performance.now() > giveUpAt) throw new Error(`redis-server did not answer:\n${lines.join('')}`);
      await sleep(POLL_MS);
    }
  } finally {
    client.disconnect();
  }
}
