/**
 * Real processes: a stand-in for a worker, which starts the watchdog and "runs" as it is told, and an etcd that
 * remembers what it was asked.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { EtcdConnection } from '../../../src/run/watchdog/messages.js';
import { processRuns, until } from '../support.js';

export { transpile } from '../../support/transpile.js';

export interface StandInRun {
  readonly marker: string;
  readonly recovery: 'rerun' | 'abandon';
  /** For `/bin/sh -c`. */
  readonly command: string;
  /** The worker dies before it can tell the process group. */
  readonly groupUnknown?: boolean;
}

/** What the stand-in is told, one JSON object a line; it answers each with a line. */
export type Order =
  | { readonly do: 'session'; readonly leaseId: string; readonly ttlMs: number; readonly trustMs: number }
  | ({ readonly do: 'run' } & StandInRun)
  | { readonly do: 'pid' }
  | { readonly do: 'stop' };

export class StandIn {
  readonly child: ChildProcess;
  #output = '';
  #errors = '';

  constructor(folder: string, connection: EtcdConnection, detached = false) {
    const main = join(folder, 'test/run/watchdog/stand-in.js');
    this.child = spawn(process.execPath, [main, JSON.stringify(connection)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached,
      env: { PATH: process.env.PATH ?? '' },
    });
    this.child.stdout!.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
    this.child.stderr!.on('data', (chunk: Buffer) => (this.#errors += chunk.toString()));
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** What the watchdog wrote, mostly. */
  get stderr(): string {
    return this.#errors;
  }

  async tell(order: Order): Promise<string> {
    const seen = this.#output.length;
    this.child.stdin!.write(`${JSON.stringify(order)}\n`);
    await until(() => this.#output.indexOf('\n', seen) >= 0 || this.child.exitCode !== null);
    return this.#output.slice(seen).trim();
  }

  async watchdogPid(): Promise<number> {
    return Number(await this.tell({ do: 'pid' }));
  }

  /** The pid of the main process. */
  async run(run: StandInRun): Promise<number> {
    return Number(await this.tell({ do: 'run', ...run }));
  }

  async die(signal: NodeJS.Signals): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill(signal);
    await exited;
  }
}

export interface FakeEtcd {
  readonly connection: EtcdConnection;
  /** Method and message, the latter as bytes in hex. */
  readonly calls: { readonly method: string; readonly message: string }[];
  close(): Promise<void>;
}

/** gRPC's status code and text. */
export interface FakeReply {
  readonly code: number;
  readonly text: string;
}

/** Says yes to every call, unless `onCall`, which runs before the answer, gives another reply. */
export async function fakeEtcd(onCall: (method: string) => FakeReply | undefined): Promise<FakeEtcd> {
  const calls: FakeEtcd['calls'] = [];
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    let message = '';
    stream.on('data', (chunk: Buffer) => (message += chunk.toString('hex')));
    stream.on('error', () => undefined);
    stream.on('end', () => {
      const method = headers[':path'] ?? '';
      calls.push({ method, message: message.slice(10) });
      const reply = onCall(method);
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () =>
        stream.sendTrailers({ 'grpc-status': String(reply?.code ?? 0), 'grpc-message': reply?.text ?? '' }),
      );
      stream.end(Buffer.alloc(5));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    connection: { endpoints: [endpoint], tls: null, credentials: null },
    calls,
    close: async () => {
      for (const session of sessions) session.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

/** The watchdogs, or other processes, that run from this folder. */
export function sidecarsIn(folder: string, main = 'src/run/watchdog/sidecar/main.js'): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(`${folder}/${main}`);
      } catch {
        return false;
      }
    })
    .filter(processRuns);
}

/** Writes its pid to the file, then sleeps as a daemon that has left its session: only the marker tells whose it is. */
export function daemonCommand(pidFile: string): string {
  return `setsid sh -c 'echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; exec sleep 1000' & sleep 1000`;
}

export async function pidIn(file: string): Promise<number> {
  await until(() => existsSync(file));
  return Number(readFileSync(file, 'utf8'));
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}
