/** What the processes of a cluster hold in memory: heaps after a garbage collection, and what the kernel counts. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchWorker, WorkerSetup } from './cluster.js';

/** Bytes. */
export interface HeapSample {
  readonly heapUsed: number;
  /** Memory that objects of the heap hold outside of it, such as buffers. */
  readonly external: number;
  readonly rss: number;
}

const ANSWER_WITHIN_MS = 20_000;
const POLL_MS = 50;
const MIB = 2 ** 20;

/** Workers that tell their heap when they are asked; `folder` takes one file for each. */
export function probedWorkers(folder: string): WorkerSetup {
  return {
    nodeArgs: ['--import', new URL('./heap-probe.js', import.meta.url).href],
    env: (name) => ({ BENCH_HEAP_FILE: heapFile(folder, name) }),
  };
}

/** Collects the worker's garbage and returns what is left. */
export async function sampleHeap(folder: string, { name, pid }: BenchWorker): Promise<HeapSample> {
  const file = heapFile(folder, name);
  const before = (await readLines(file)).length;
  process.kill(pid, 'SIGUSR2');
  const giveUpAt = performance.now() + ANSWER_WITHIN_MS;
  for (;;) {
    const lines = await readLines(file);
    if (lines.length > before) return JSON.parse(lines.at(-1)!) as HeapSample;
    if (performance.now() > giveUpAt) throw new Error(`worker ${name} did not tell its heap in time`);
    await sleep(POLL_MS);
  }
}

/** NaN where there is no `/proc`, or no such process. */
export async function residentMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? NaN) / 1024;
}

/** The watchdog of each worker: the process that runs the sidecar's program with the worker's pid as its argument. */
export async function watchdogsOf(workerPids: readonly number[]): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  for (const entry of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(entry)) continue;
    const args = (await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const at = args.findIndex((arg) => arg.endsWith('/watchdog/sidecar/main.js'));
    const workerPid = Number(args[at + 1]);
    if (at >= 0 && workerPids.includes(workerPid)) found.set(workerPid, Number(entry));
  }
  return found;
}

export function toMiB(bytes: number): number {
  return bytes / MIB;
}

function heapFile(folder: string, name: string): string {
  return join(folder, `${name}.heap`);
}

/** Complete ones only. */
async function readLines(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.split('\n').slice(0, -1);
}
