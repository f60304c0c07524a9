/** One process of a campaign: runs the seeds that it is given and reports each; ends when nobody is there to be told. */
import type { Assignment, Report } from './campaign.js';
import { simulate } from './simulate.js';

const tell = (report: Report): Promise<void> =>
  new Promise((resolve) => {
    process.send!(report, () => resolve());
  });

process.on('unhandledRejection', (error) => {
  const text = `a rejection that nobody handles: ${error instanceof Error ? error.stack : String(error)}`;
  void tell({ type: 'crash', text }).then(() => process.exit(1));
});
process.on('disconnect', () => process.exit(0));
process.on('message', (seeds: Assignment) => void runAll(seeds));

async function runAll(seeds: Assignment): Promise<void> {
  for (const seed of seeds) await tell({ type: 'result', result: await simulate(seed) });
}
