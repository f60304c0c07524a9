/**
 * `npm run simulate -- [--seeds N] [--from N] [--seed N] [--parallel N]`: runs the simulation, and shows what broke and
 * when.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { runCampaign, type SeedRange } from './campaign.js';
import type { SimulationResult } from './simulate.js';

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly seed?: number;
  readonly parallel: number;
}

/** Failures shown in full; of the others the seed alone. */
const SHOWN = 3;
const PROGRESS_EVERY = 100;
const PROCESS = fileURLToPath(new URL('campaign-process.js', import.meta.url));

const { seeds, from, seed, parallel } = new Command('simulate')
  .description(
    'Runs whole nodes under random faults, each run from one seed, and checks what etcron promises.',
  )
  .option('--seeds <n>', 'how many seeds', positive, 100)
  .option('--from <n>', 'the first one', count, 1)
  .option('--seed <n>', 'this one only', count)
  .option('--parallel <n>', 'processes at once (default: one per core)', positive, availableParallelism())
  .parse()
  .opts<Options>();

const first = seed ?? from;
const last = seed ?? from + seeds - 1;
const wanted = last - first + 1;
const processes = Math.min(parallel, wanted);
const totals = { done: 0, firings: 0, attempts: 0, faults: 0 };
const failed: string[] = [];

const startMs = performance.now();
await runCampaign({
  ...{ first, last, processes },
  start: () => fork(PROCESS),
  onResult(result) {
    totals.done += 1;
    totals.firings += result.firings;
    totals.attempts += result.attempts;
    totals.faults += result.faults;
    if (result.violations.length > 0) report(result);
    if (totals.done % PROGRESS_EVERY === 0 && totals.done < wanted) console.error(progress());
  },
  onLost(range, text) {
    failed.push(nameOf(range));
    console.log(`\nseed ${nameOf(range)}: ${text}`);
  },
});
console.log(
  `${progress()}: ${totals.faults} faults, ${totals.firings} firings ended, ${totals.attempts} attempts`,
);
console.log(
  failed.length === 0 ? 'Every promise was kept.' : `Broken promises in the seeds ${failed.join(', ')}.`,
);
process.exitCode = failed.length === 0 && totals.done === wanted ? 0 : 1;

function report({ seed: broken, violations, timeline }: SimulationResult): void {
  failed.push(String(broken));
  console.log(`\nseed ${broken}: ${violations.length} broken promises`);
  if (failed.length > SHOWN) return;
  for (const { subject, text } of violations) console.log(`  ${subject ?? 'cluster'}: ${text}`);
  console.log(`around the first:\n  ${timeline.join('\n  ')}\n`);
}

function progress(): string {
  const seconds = (performance.now() - startMs) / 1000;
  const rate = (totals.done / seconds).toFixed(1);
  return `${totals.done} seeds, ${rate} seeds/s on ${processes} ${processes === 1 ? 'process' : 'processes'}`;
}

function nameOf(range: SeedRange): string {
  return range.first === range.last ? String(range.first) : `${range.first} to ${range.last}`;
}

function positive(text: string): number {
  const value = count(text);
  if (value === 0) throw new InvalidArgumentError('must be at least 1.');
  return value;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('must be a whole number.');
  return value;
}
