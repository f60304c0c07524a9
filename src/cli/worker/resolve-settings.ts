/** The settings of a worker from flags, `ETCRON_*` variables and the configuration file, in that order. */
import { resolve } from 'node:path';
import { ConfigFile } from '../../etcd/config-file.js';
import { DEFAULT_CONFIG_FILE } from '../../etcd/connection-options.js';
import { resolveApi, type ApiListenOptions } from '../../node/api-options.js';
import type { NodeOptions } from '../../node/options.js';
import { labelsUnderPolicy, readPolicyFile } from '../../node/policy-file.js';
import { resolveOutput } from '../../node/output-options.js';
import {
  parseSetting,
  resolveNodeOptions,
  type FoundSetting,
  type SettingValue,
} from '../../node/resolve-options.js';
import { WORKER_SETTINGS, type WorkerFlags, type WorkerSettingName } from '../../node/worker-settings.js';
import { defaultOutputDir, type OutputSettings } from '../../run/output/settings.js';
import type { LoggerOptions } from '../../telemetry/logger.js';

export interface WorkerSources {
  readonly flags: WorkerFlags;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Default: `$ETCRON_CONFIG`, else `etcron.yaml` in the working directory when there is one. */
  readonly configPath?: string;
  readonly isTTY: boolean;
}

export interface WorkerConfig {
  readonly node: Omit<NodeOptions, 'host' | 'pid' | 'version'>;
  readonly log: Pick<LoggerOptions, 'level' | 'format'>;
  /** Null: only the tails in the records are kept. */
  readonly output: OutputSettings | null;
  /** Null: it has no HTTP API. */
  readonly api: ApiListenOptions | null;
}

const SECTION = 'worker';
const NAMES = Object.keys(WORKER_SETTINGS) as WorkerSettingName[];

/** Rejects with ETCRON_CONFIG_INVALID, naming where the wrong value was set. */
export async function resolveWorkerSettings(sources: WorkerSources): Promise<WorkerConfig> {
  const { env } = sources;
  const file = await ConfigFile.read(
    resolve((sources.configPath ?? env.ETCRON_CONFIG) || DEFAULT_CONFIG_FILE),
  );
  file?.checkKeys([SECTION], NAMES);
  const find = <Name extends WorkerSettingName>(name: Name): FoundSetting<SettingValue<Name>> | null =>
    findSetting(name, sources, file);
  const node = await underPolicy(resolveNodeOptions(find), find('policy')?.value);
  return {
    node,
    output: resolveOutput(find, node.name, defaultOutputDir(env)),
    api: resolveApi(find),
    log: {
      level: find('logLevel')?.value ?? 'info',
      format: find('logFormat')?.value ?? (sources.isTTY ? 'pretty' : 'json'),
    },
  };
}

async function underPolicy(
  node: WorkerConfig['node'],
  path: string | undefined,
): Promise<WorkerConfig['node']> {
  if (path === undefined) return node;
  const loaded = await readPolicyFile(resolve(path));
  return { ...node, labels: labelsUnderPolicy(node.labels, loaded, path), policy: loaded.policy };
}

function findSetting<Name extends WorkerSettingName>(
  name: Name,
  { flags, env }: WorkerSources,
  file: ConfigFile | null,
): FoundSetting<SettingValue<Name>> | null {
  const { flag, variable } = WORKER_SETTINGS[name];
  const path = [SECTION, name];
  const fromFlag = name === 'labels' ? flags.label : (flags as Readonly<Record<string, unknown>>)[name];
  const fromFile = file?.get(...path);
  if (fromFlag !== undefined) return parseSetting(name, fromFlag, flag);
  if (env[variable]) return parseSetting(name, env[variable], variable);
  if (file && fromFile !== undefined && fromFile !== null)
    return parseSetting(name, fromFile, file.where(path));
  return null;
}
