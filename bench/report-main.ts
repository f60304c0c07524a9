/**
 * `npm run bench:report -- FILE…`: shows the results that `npm run bench -- --json FILE` has written, those of several
 * benchmarks together; with `--docs`, makes the tables and the plot of the documentation from them.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { fillTables } from './docs-tables.js';
import { drawLateness } from './lateness-plot.js';
import { renderReport } from './report.js';
import { reportFailure } from './report-failure.js';
import { joinResults } from './join-results.js';
import { readResults, writeResults } from './results.js';

const program = new Command('npm run bench:report --')
  .description('Show results of the benchmark again.')
  .argument(
    '<file...>',
    'what npm run bench -- --json FILE has written, on one machine with the same versions',
  )
  .option('--docs', 'make docs/performance.md, docs/performance.json and docs/lateness.svg from it')
  .exitOverride();

try {
  program.parse();
  const results = joinResults(await Promise.all(program.args.map(readResults)));
  if (program.opts<{ docs?: true }>().docs) {
    // Run by scripts/run.mjs, in the folder of the project.
    const page = join('docs', 'performance.md');
    await writeFile(page, fillTables(await readFile(page, 'utf8'), results));
    await writeResults(join('docs', 'performance.json'), results);
    const plot = await drawLateness(results);
    if (plot === null)
      process.stderr.write('There is no series of rates: docs/lateness.svg stays as it is.\n');
    else await writeFile(join('docs', 'lateness.svg'), plot);
  } else {
    console.log(renderReport(results));
  }
} catch (error) {
  process.exitCode = reportFailure(error);
}
