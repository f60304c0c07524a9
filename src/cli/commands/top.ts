import { Command } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import type { TopOptions } from '../top/run-top.js';

export function topCommand(): Command {
  return new Command('top')
    .summary('the cluster as it works, live in the terminal')
    .description(
      'Show the workers and their load, who leads, what runs and for how long, what is due next, how late the last minutes were and what failed, drawn anew each second. "q" or Ctrl-C ends it. Without a terminal it writes one line every few seconds.',
    )
    .option('--once', 'show it once, as text, and end')
    .addHelpText(
      'after',
      examples([
        ['etcron top', ''],
        ['etcron top --server https://w1:8470', 'from a machine that does not reach etcd'],
        ['etcron top --once --json', 'for a program'],
      ]),
    )
    .action(async (options: TopOptions, command: Command) => {
      const { runTop } = await import('../top/run-top.js');
      await runTop(contextOf(command), options);
    });
}
