import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { durationFlag } from '../parse-flags.js';
import type { RunJobOptions } from '../runs/run-job.js';

export function runCommand(): Command {
  return new Command('run')
    .summary('run a job now')
    .description(
      'Ask for a run of a job now, beside its schedule, and print its run id. A paused job can be run as well.',
    )
    .argument('<job>', 'name of the job')
    .option('-w, --wait', 'wait for its end, show it, and exit with 0 only when it succeeded')
    .option(
      '--timeout <duration>',
      'with --wait: give up waiting after this time (the run goes on)',
      durationFlag,
    )
    .addHelpText(
      'after',
      examples([
        ['etcron run backup', 'ask for it'],
        ['etcron run backup --wait --timeout 10m', 'and wait for its end'],
        ['etcron runs get "$(etcron run backup)"', 'see how far it is'],
      ]),
    )
    .action(async (job: string, options: RunJobOptions, command: Command) => {
      const { runJob } = await import('../runs/run-job.js');
      await runJob(contextOf(command), job, options);
    });
}
