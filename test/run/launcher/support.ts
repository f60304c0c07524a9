import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { EtcdConnection } from '../../../src/run/watchdog/messages.js';
import { until } from '../support.js';

/** What the stand-in is told, one JSON object a line; it answers each with a line. */
export type StandInOrder =
  | { readonly do: 'pids' }
  | { readonly do: 'session'; readonly ttlMs: number }
  | {
      readonly do: 'run';
      readonly marker: string;
      readonly recovery: 'rerun' | 'abandon';
      /** For `/bin/sh -c`. */
      readonly command: string;
      /** False: it answers as soon as the launcher has been told. */
      readonly wait?: boolean;
    };

/** A process that starts a launcher and, with an etcd, a watchdog, and dies when it is told to. */
export class StandInWorker {
  readonly child: ChildProcess;
  #output = '';

  constructor(folder: string, connection: EtcdConnection | null) {
    const main = join(folder, 'test/run/launcher/stand-in.js');
    this.child = spawn(process.execPath, [main, JSON.stringify(connection)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env.PATH ?? '' },
    });
    this.child.stdout!.on('data', (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  async tell(order: StandInOrder): Promise<string> {
    const seen = this.#output.length;
    this.child.stdin!.write(`${JSON.stringify(order)}\n`);
    await until(() => this.#output.indexOf('\n', seen) >= 0);
    return this.#output.slice(seen).trim();
  }

  async pids(): Promise<{ launcher: number; watchdog: number | null }> {
    return JSON.parse(await this.tell({ do: 'pids' })) as { launcher: number; watchdog: number | null };
  }

  async die(): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }
}
