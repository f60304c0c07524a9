/** The flags of every command that say where etcd is; their meaning lies with the settings in src/etcd. */
import { Option, type Command } from 'commander';
import { CONNECTION_SETTINGS, type ConnectionSetting } from '../etcd/connection-settings.js';
import type { GlobalOptions } from './environment.js';
import { addServerOptions } from './server-settings.js';

/** Flags stay text here: all sources are checked alike, when the connection is made. */
export function addConnectionOptions(program: Command): void {
  for (const { flag, placeholder, description, variable, defaultText } of Object.values(
    CONNECTION_SETTINGS,
  )) {
    const fallback = defaultText === undefined ? '' : `, default ${defaultText}`;
    const text = `${description} (${variable}${fallback})`;
    program.addOption(new Option(`${flag} ${placeholder}`, text).helpGroup('Connection:'));
  }
  const config = new Option(
    '--config <file>',
    'configuration file (ETCRON_CONFIG, default etcron.yaml, if there)',
  );
  program.addOption(config.helpGroup('Connection:'));
  addServerOptions(program);
}

export function connectionFlags(options: GlobalOptions): Partial<Record<ConnectionSetting, string>> {
  const names = Object.keys(CONNECTION_SETTINGS) as ConnectionSetting[];
  return Object.fromEntries(
    names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
}
