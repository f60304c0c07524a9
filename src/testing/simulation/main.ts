/** `npm run simulate -- [--seeds N] [--from N] [--seed N]`: runs the simulation, and shows what broke and when. */
import { Command, InvalidArgumentError } from 'commander';
import { simulate, type SimulationResult } from './simulate.js';

interface Options {
  readonly seeds: number;
  readonly from: number;
  readonly seed?: number;
}

/** Failures shown in full; of the others the seed alone. */
const SHOWN = 3;
const PROGRESS_EVERY = 100;

const { seeds, from, seed } = new Command('simulate')
  .description(
    'Runs whole nodes under random faults, each run from one seed, and checks what etcron promises.',
  )
  .option('--seeds <n>', 'how many seeds', count, 100)
  .option('--from <n>', 'the first one', count, 1)
  .option('--seed <n>', 'this one only', count)
  .parse()
  .opts<Options>();

const first = seed ?? from;
const last = seed ?? from + seeds - 1;
const totals = { firings: 0, attempts: 0, faults: 0 };
const failed: number[] = [];
let present = first;
process.on('unhandledRejection', (error) => {
  console.error(`seed ${present}: a rejection that nobody handles`, error);
  process.exit(1);
});

const startMs = performance.now();
for (; present <= last; present += 1) {
  const result = await simulate(present);
  totals.firings += result.firings;
  totals.attempts += result.attempts;
  totals.faults += result.faults;
  if (result.violations.length > 0) {
    failed.push(present);
    report(result);
  }
  const done = present - first + 1;
  if (done % PROGRESS_EVERY === 0 && present < last) console.error(`${done} seeds, ${rate(done)} seeds/s`);
}
const done = last - first + 1;
console.log(
  `${done} seeds, ${rate(done)} seeds/s: ${totals.faults} faults, ${totals.firings} firings ended, ${totals.attempts} attempts`,
);
console.log(
  failed.length === 0 ? 'Every promise was kept.' : `Broken promises in the seeds ${failed.join(', ')}.`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

function report({ seed: broken, violations, timeline }: SimulationResult): void {
  console.log(`\nseed ${broken}: ${violations.length} broken promises`);
  if (failed.length > SHOWN) return;
  for (const { subject, text } of violations) console.log(`  ${subject ?? 'cluster'}: ${text}`);
  console.log(`around the first:\n  ${timeline.join('\n  ')}\n`);
}

function rate(runs: number): string {
  return (runs / ((performance.now() - startMs) / 1000)).toFixed(1);
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('must be a whole number.');
  return value;
}
