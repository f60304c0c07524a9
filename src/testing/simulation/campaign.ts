/**
 * Many seeds on several processes. Each process is given a few seeds at a time, so that all have work until the end, and
 * reports each one as soon as it is done.
 *
 * No seed is ever passed over in silence: a process that dies, or that is silent for too long, is a failure of the seed
 * that it was at; another process takes over the rest. When that happens again and again, what is left is not run, and
 * that is a failure, too.
 */
import type { ChildProcess } from 'node:child_process';
import type { SimulationResult } from './simulate.js';

/** To a process: run these. */
export type Assignment = readonly number[];

/** From a process, in the order of its seeds. After a `crash`, in the seed that was under way, it ends. */
export type Report =
  | { readonly type: 'result'; readonly result: SimulationResult }
  | { readonly type: 'crash'; readonly text: string };

export interface Campaign {
  readonly first: number;
  readonly last: number;
  /** How many at once. */
  readonly processes: number;
  /** Starts a process that runs seeds (`campaign-process.ts`). */
  readonly start: () => ChildProcess;
  readonly onResult: (result: SimulationResult) => void;
  /** `seeds` were not run to their end. */
  readonly onLost: (seeds: SeedRange, text: string) => void;
  /** A process that says nothing for so long is taken for one that hangs; default 5 min. */
  readonly silenceMs?: number;
}

export interface SeedRange {
  readonly first: number;
  readonly last: number;
}

const SEEDS_AT_ONCE = 8;
const SILENCE_MS = 300_000;
/** After so many dead processes it is not the seeds. */
const MAX_DEATHS = 10;

/** Resolves when every seed was reported to `onResult` or `onLost`, and no process is left. */
export async function runCampaign(campaign: Campaign): Promise<void> {
  const { last, processes, onLost } = campaign;
  const queue = new SeedQueue(campaign.first, last);
  let deaths = 0;
  const lane = async (): Promise<void> => {
    while (!queue.isEmpty && deaths < MAX_DEATHS) if (!(await runProcess(campaign, queue))) deaths += 1;
  };
  await Promise.all(Array.from({ length: processes }, lane));
  for (const range of queue.rest()) onLost(range, `not run: ${deaths} processes have died`);
}

/** One process, until there are no seeds left (true) or it dies (false). */
function runProcess(campaign: Campaign, queue: SeedQueue): Promise<boolean> {
  const { start, onResult, onLost, silenceMs = SILENCE_MS } = campaign;
  const child = start();
  return new Promise((resolve) => {
    /** Given to the process and not reported; the first one is under way. */
    let open: number[] = [];
    let reason: string | null = null;
    let isOver = false;
    let silence: NodeJS.Timeout | undefined;
    const listen = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => {
        reason = `its process said nothing for ${silenceMs / 1000} s`;
        child.kill('SIGKILL');
      }, silenceMs);
    };
    const assign = (): void => {
      open = queue.take(SEEDS_AT_ONCE);
      if (open.length === 0) child.disconnect();
      else child.send(open satisfies Assignment);
    };
    child.on('message', (report: Report) => {
      listen();
      if (report.type === 'crash') reason = report.text;
      if (report.type !== 'result') return;
      open = open.filter((seed) => seed !== report.result.seed);
      onResult(report.result);
      if (open.length === 0) assign();
    });
    const over = (how: string): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(silence);
      const [present, ...rest] = open;
      if (present !== undefined) onLost({ first: present, last: present }, reason ?? how);
      queue.giveBack(rest);
      resolve(present === undefined);
    };
    // Of a process that was started its exit says more; this may come after it.
    child.on('error', (error) => {
      if (child.pid === undefined) over(`its process could not be started: ${error.message}`);
    });
    child.on('exit', (code, signal) => over(`its process ended: ${signal ?? `exit code ${code}`}`));
    listen();
    assign();
  });
}

/** The seeds that nobody has yet, in order. */
class SeedQueue {
  #next: number;
  readonly #last: number;
  #givenBack: number[] = [];

  constructor(first: number, last: number) {
    this.#next = first;
    this.#last = last;
  }

  get isEmpty(): boolean {
    return this.#givenBack.length === 0 && this.#next > this.#last;
  }

  take(limit: number): number[] {
    const seeds = this.#givenBack.splice(0, limit);
    while (seeds.length < limit && this.#next <= this.#last) seeds.push(this.#next++);
    return seeds;
  }

  giveBack(seeds: readonly number[]): void {
    this.#givenBack.push(...seeds);
  }

  rest(): SeedRange[] {
    const single = this.#givenBack.map((seed) => ({ first: seed, last: seed }));
    return this.#next > this.#last ? single : [...single, { first: this.#next, last: this.#last }];
  }
}
