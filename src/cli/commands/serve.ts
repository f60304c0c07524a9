import { Command, Option } from 'commander';
import { WORKER_SETTINGS, type WorkerFlags } from '../../node/worker-settings.js';
import { contextOf } from '../context.js';
import { examples } from '../help.js';

const NAMES = [
  'listen',
  'apiCert',
  'apiKey',
  'apiClientCa',
  'apiPeerCa',
  'insecureHttp',
  'logLevel',
  'logFormat',
] as const;

export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('the HTTP API and the page, without a worker')
    .description(
      'Serve the HTTP API and the page from this machine. Every worker serves them as well; this one runs nothing. Its settings are those of a worker.',
    );
  for (const name of NAMES) {
    const { flag, placeholder, description, variable, defaultText } = WORKER_SETTINGS[name];
    const text = `${description} (${variable}, default ${defaultText})`;
    command.addOption(new Option(`${flag} ${placeholder}`.trim(), text));
  }
  return command
    .addHelpText(
      'after',
      examples([
        ['etcron serve', 'at http://127.0.0.1:8470, for this machine alone'],
        ['etcron serve --listen :443 --api-cert tls.crt --api-key tls.key', 'for everybody who has a token'],
      ]),
    )
    .action(async (flags: WorkerFlags, self: Command) => {
      const { serve } = await import('../serve/serve.js');
      await serve(contextOf(self), flags);
    });
}
