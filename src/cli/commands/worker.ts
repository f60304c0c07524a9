import { Command, Option } from 'commander';
import { contextOf } from '../context.js';
import { examples } from '../help.js';
import { collect } from '../parse-flags.js';
import { WORKER_SETTINGS, type WorkerFlags } from '../../node/worker-settings.js';

const SIGNALS = `
Signals:
  SIGTERM, SIGINT, SIGHUP  stop in order: hand over leadership, claim no more, let commands finish within the
                           drain grace, hand the rest to other workers, exit 0
  a second one             kill all commands and exit at once, with 128 + the signal's number (143, 130, 129)`;

export function workerCommand(): Command {
  const command = new Command('worker')
    .summary('run one worker of a cluster')
    .description('Run one worker: it races for firings and runs their commands, and is ready to lead.')
    .optionsGroup('Options:');
  for (const setting of Object.values(WORKER_SETTINGS)) {
    const { flag, placeholder, description, variable, defaultText, tuning } = setting;
    // Text here: flags, variables and the configuration file are checked alike, when the worker starts.
    const option = new Option(
      `${flag} ${placeholder}`.trim(),
      `${description} (${variable}, default ${defaultText})`,
    );
    if (flag === '--label') option.argParser(collect);
    command.addOption(tuning ? option.helpGroup('Tuning:') : option);
  }
  command.addOption(
    new Option(
      '--no-watchdog',
      'start no process beside this one that ends its commands when it is killed',
    ).helpGroup('Tuning:'),
  );
  return command
    .addHelpText(
      'after',
      examples([
        ['etcron worker', 'with the etcd on this machine'],
        ['etcron worker --endpoints etcd1:2379,etcd2:2379,etcd3:2379 --name w1', 'of a cluster'],
        [
          'etcron worker --config /etc/etcron.yaml --label zone=eu --capacity 16',
          'settings from a file, and more',
        ],
      ]) + SIGNALS,
    )
    .action(async (flags: WorkerFlags, self: Command) => {
      const { runWorker } = await import('../worker/run-worker.js');
      await runWorker(contextOf(self), flags);
    });
}
