import { systemClock } from '../clock.js';
import { connect } from '../etcd/connect.js';
import { resolveConnectionOptions, type ConnectionOptions } from '../etcd/connection-options.js';
import { Keys } from '../etcd/keys.js';
import { connectionFlags } from './connection-flags.js';
import type { CliCluster, CliEnvironment, GlobalOptions } from './environment.js';
import { refuseServer, serverAddress, serverWarning } from './server-settings.js';
import { CONFIG_SECTIONS } from './config-sections.js';

/** Where etcd is, by flags, environment and configuration file. Rejects with ETCRON_CONFIG_INVALID and the like. */
export function connectionOptions(
  options: GlobalOptions,
  env: CliEnvironment['env'],
): Promise<ConnectionOptions> {
  refuseServer(options);
  const { config } = options;
  return resolveConnectionOptions({
    flags: connectionFlags(options),
    env,
    otherSections: CONFIG_SECTIONS,
    ...(typeof config === 'string' ? { configPath: config } : {}),
  });
}

/**
 * To etcd, or to a server that is named instead. Rejects with ETCRON_ETCD_UNREACHABLE, ETCRON_ETCD_AUTH, or what is said of the
 * server, when nobody answers, or not to us.
 */
export async function connectCluster(
  options: GlobalOptions,
  env: CliEnvironment['env'],
): Promise<CliCluster> {
  const server = options.onEtcd === true ? null : await serverAddress(options, env);
  if (server !== null) {
    const { connectRemote } = await import('../api/remote/remote-store.js');
    const { store, keys, actor } = await connectRemote(server, systemClock);
    const warning = serverWarning(server);
    return { store, keys, isAudited: true, requester: actor.name, ...(warning === null ? {} : { warning }) };
  }
  const resolved = await connectionOptions(options, env);
  return { store: await connect(resolved), keys: new Keys(resolved.prefix) };
}
