/** The etcd of `etcron dev`: one of its own, or an existing one that `--endpoints` names. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { tmpdir } from 'node:os';
import { connect } from '../../etcd/connect.js';
import { resolveConnectionOptions } from '../../etcd/connection-options.js';
import { CONNECTION_SETTINGS, type ConnectionSetting } from '../../etcd/connection-settings.js';
import { startEmbeddedEtcd, type EmbeddedEtcd } from '../../etcd/embedded/embedded-etcd.js';
import { findEtcd, type EtcdBinary } from '../../etcd/embedded/find-etcd.js';
import { Keys } from '../../etcd/keys.js';
import type { Store } from '../../etcd/store.js';
import { silentLogger } from '../../telemetry/logger.js';
import { connectionFlags } from '../connection-flags.js';
import { connectionOptions } from '../connection.js';
import type { CliContext } from '../context.js';

export interface DevCluster {
  readonly store: Store;
  readonly keys: Keys;
  /** For the workers: where etcd is, and their environment. */
  readonly workerFlags: readonly string[];
  readonly workerEnv: NodeJS.ProcessEnv;
  readonly logDir: string;
  readonly endpoints: readonly string[];
  /** Null when the etcd is not ours. */
  readonly etcd: EmbeddedEtcd | null;
  /** How to call etcdctl. */
  readonly etcdctl: string;
  /** Never rejects. Removes what is temporary. */
  close(): Promise<void>;
}

/** Kept of `ETCRON_*` for workers of an embedded etcd: the rest could lead them to another one. */
const HARMLESS_VARIABLES = new Set(['ETCRON_DEBUG', 'ETCRON_CACHE_DIR']);

/** An etcd of our own, in `dataDir` or a temporary folder. `say` gets lines about the progress. */
export async function ownCluster(
  context: CliContext,
  dataDir: string | undefined,
  say: (line: string) => void,
): Promise<DevCluster> {
  const { env } = context.environment;
  const binary = await findEtcd({ env: { ...env }, onProgress: say });
  say(`Using etcd ${binary.version} from ${binary.etcd}`);
  const log = silentLogger();
  const etcd = await startEmbeddedEtcd({ binary, log, ...(dataDir === undefined ? {} : { dataDir }) });
  try {
    // The user's own variables and configuration file are about another etcd.
    const flags = { ...connectionFlags(context.options), endpoints: etcd.endpoint };
    const resolved = await resolveConnectionOptions({ flags, env: {}, cwd: etcd.dataDir });
    const config = join(etcd.dataDir, 'workers.yaml');
    const { endpoints, prefix } = resolved;
    await writeFile(config, `${JSON.stringify({ etcd: { endpoints, prefix } })}\n`);
    const logDir = join(etcd.dataDir, 'logs');
    await mkdir(logDir, { recursive: true });
    const store = await connect(resolved);
    return {
      store,
      keys: new Keys(prefix),
      workerFlags: [
        ...['--endpoints', endpoints.join(','), '--prefix', prefix, '--config', config],
        ...['--output-dir', join(etcd.dataDir, 'output')],
      ],
      workerEnv: Object.fromEntries(
        Object.entries(env).filter(([name]) => !name.startsWith('ETCRON_') || HARMLESS_VARIABLES.has(name)),
      ),
      ...{ logDir, endpoints, etcd, etcdctl: etcdctlCommand(binary, env.PATH ?? '') },
      close: async () => {
        await store.close();
        await etcd.stop();
      },
    };
  } catch (error) {
    await etcd.stop();
    throw error;
  }
}

/** The etcd that flags, environment and configuration file name. */
export async function existingCluster(context: CliContext): Promise<DevCluster> {
  const { environment, options } = context;
  const resolved = await connectionOptions(options, environment.env);
  const store = await connect(resolved);
  const logDir = await mkdtemp(join(tmpdir(), 'etcron-dev-'));
  const flags = Object.entries(connectionFlags(options)).flatMap(([name, value]) => [
    CONNECTION_SETTINGS[name as ConnectionSetting].flag,
    value,
  ]);
  const { config } = options;
  const own = ['--output-dir', join(logDir, 'output')];
  return {
    store,
    keys: new Keys(resolved.prefix),
    workerFlags: [...flags, ...(typeof config === 'string' ? ['--config', config] : []), ...own],
    workerEnv: { ...environment.env },
    ...{ logDir, endpoints: resolved.endpoints, etcd: null, etcdctl: 'etcdctl' },
    close: async () => {
      await store.close();
      await rm(logDir, { recursive: true, force: true }).catch(() => undefined);
    },
  };
}

/** Ready to paste: by name when the shell finds this very program, by path otherwise. */
function etcdctlCommand({ etcdctl }: EtcdBinary, path: string): string {
  if (etcdctl === undefined || path.split(delimiter).includes(dirname(etcdctl))) return 'etcdctl';
  return /^[\w./-]+$/.test(etcdctl) ? etcdctl : `'${etcdctl.replaceAll("'", "'\\''")}'`;
}
