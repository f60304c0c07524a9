import { connect } from '../etcd/connect.js';
import { resolveConnectionOptions, type ConnectionOptions } from '../etcd/connection-options.js';
import { Keys } from '../etcd/keys.js';
import { connectionFlags } from './connection-flags.js';
import type { CliEnvironment, Cluster, GlobalOptions } from './environment.js';
import { CONFIG_SECTIONS } from './config-sections.js';

/** Where etcd is, by flags, environment and configuration file. Rejects with ETCRON_CONFIG_INVALID and the like. */
export function connectionOptions(
  options: GlobalOptions,
  env: CliEnvironment['env'],
): Promise<ConnectionOptions> {
  const { config } = options;
  return resolveConnectionOptions({
    flags: connectionFlags(options),
    env,
    otherSections: CONFIG_SECTIONS,
    ...(typeof config === 'string' ? { configPath: config } : {}),
  });
}

/** Rejects with ETCRON_ETCD_UNREACHABLE or ETCRON_ETCD_AUTH when etcd does not answer, or not to us. */
export async function connectCluster(options: GlobalOptions, env: CliEnvironment['env']): Promise<Cluster> {
  const resolved = await connectionOptions(options, env);
  return { store: await connect(resolved), keys: new Keys(resolved.prefix) };
}
