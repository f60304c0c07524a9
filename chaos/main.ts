/**
 * `npm run chaos -- [--minutes N] [--seed S]`: a real etcd of three members, real workers, real faults. Exits with 1 when a
 * promise was broken, or when the run itself went wrong.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { reportFailure } from '../bench/report-failure.js';
import { integerFlag } from '../src/cli/parse-flags.js';
import { runCampaign } from './campaign.js';
import { renderReport } from './report.js';

interface ChaosOptions {
  readonly minutes: number;
  readonly seed: string;
  readonly workers: number;
  readonly json?: string;
  readonly keep?: true;
  readonly program: string;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const program = new Command('npm run chaos --')
  .description('Break a real cluster in every way for a while, and check what etcron promises.')
  .option('--minutes <number>', 'how long to break things', integerFlag(1, 24 * 60), 5)
  .option('--seed <text>', 'decides faults, victims and times', String(Date.now() % 1_000_000))
  .option('--workers <number>', 'how many', integerFlag(3, 9), 5)
  .option('--json <file>', 'write the report to a file, too')
  .option('--keep', 'keep evidence and logs also when all is well')
  .option(
    '--program <file>',
    'the etcron to attack, for comparing another checkout',
    fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url)),
  )
  .exitOverride();

// An interrupt ends the run with its clean-up: what it has started must not be left behind.
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupted.abort());

try {
  program.parse();
  const options = program.opts<ChaosOptions>();
  const report = await runCampaign({
    ...options,
    keep: options.keep ?? false,
    signal: interrupted.signal,
    say,
  });
  console.log(renderReport(report));
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
  const isWell = report.violations.length === 0 && report.problems.length === 0;
  console.log(isWell ? 'Every promise was kept.' : 'Promises were broken, or the run went wrong.');
  process.exitCode = isWell ? 0 : 1;
} catch (error) {
  process.exitCode = reportFailure(error);
}
// Everything was stopped; a connection that a fault left half open must not keep a run that is over.
process.exit();
