/**
 * Real processes: a stand-in for a worker, which starts the watchdog and "runs" as it is told, and an etcd gateway that
 * remembers what it was asked.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import type { GatewayConnection } from '../../../src/run/watchdog/messages.js';
import { processRuns, until } from '../support.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Transpiles files of the project with all that they import from it, in the same layout, below a new folder. */
export function transpile(...entries: string[]): string {
  const out = mkdtempSync(join(tmpdir(), 'etcron-transpiled-'));
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const source = readFileSync(file, 'utf8');
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        verbatimModuleSyntax: true,
      },
    });
    const target = join(out, relative(ROOT, file).replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
    for (const [, specifier] of outputText.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/g)) {
      visit(resolve(dirname(file), specifier!.replace(/\.js$/, '.ts')));
    }
  };
  for (const entry of entries) visit(join(ROOT, entry));
  writeFileSync(join(out, 'package.json'), '{"type":"module"}');
  return out;
}

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

  constructor(folder: string, connection: GatewayConnection, detached = false) {
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

export interface FakeGateway {
  readonly connection: GatewayConnection;
  /** Paths and bodies. */
  readonly requests: { readonly path: string; readonly body: string }[];
  close(): Promise<void>;
}

export interface FakeReply {
  readonly status: number;
  readonly body: string;
}

/** Says yes to everything, unless `reply` says otherwise; null never answers. `onRequest` runs before the answer. */
export async function fakeGateway(
  onRequest: (path: string, body: string) => FakeReply | null | undefined | void = () => undefined,
): Promise<FakeGateway> {
  const requests: FakeGateway['requests'] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const path = request.url ?? '';
      requests.push({ path, body });
      const reply = onRequest(path, body);
      if (reply === null) return;
      response.writeHead(reply?.status ?? 200).end(reply?.body ?? '{"header":{}}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    connection: { endpoints: [endpoint], tls: null, credentials: null },
    requests,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** The watchdogs that run from this folder. */
export function sidecarsIn(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(
          `${folder}/src/run/watchdog/sidecar/main.js`,
        );
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
