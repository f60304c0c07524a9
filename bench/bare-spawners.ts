import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { SpawnOrder, SpawnReport } from './bare-spawn-process.js';
import { WORKERS } from './scenario.js';

const PROGRAM = fileURLToPath(new URL('./bare-spawn-process.js', import.meta.url));
/** Between the order and the moment that it names. */
const NOTICE_MS = 500;

/** As many idle Node processes as there are workers, which spawn commands together. */
export class BareSpawners {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  static async start(): Promise<BareSpawners> {
    const children = Array.from({ length: WORKERS }, () => fork(PROGRAM));
    await Promise.all(children.map((child) => once(child, 'spawn')));
    const spawners = new BareSpawners(children);
    // The first spawn of a process is slower than all others.
    await spawners.spawn({ count: 30, concurrency: Infinity });
    return spawners;
  }

  /** Spawns `count` commands at one moment, `concurrency` per process at once; one report for all. */
  async spawn(order: Omit<SpawnOrder, 'atMs'>): Promise<SpawnReport> {
    const atMs = Date.now() + NOTICE_MS;
    const size = this.#children.length;
    const reports = await Promise.all(
      this.#children.map(async (child, index) => {
        const count = Math.floor((order.count + index) / size);
        const answered = once(child, 'message');
        // Infinity does not pass through IPC.
        child.send({ atMs, count, concurrency: Math.min(order.concurrency, count) } satisfies SpawnOrder);
        return ((await answered) as [SpawnReport])[0];
      }),
    );
    return {
      latenessMs: reports.flatMap((report) => report.latenessMs),
      endedMs: Math.max(...reports.map((report) => report.endedMs)),
    };
  }

  stop(): void {
    for (const child of this.#children) child.disconnect();
  }
}
