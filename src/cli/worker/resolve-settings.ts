/** The settings of a worker from flags, `ETCRON_*` variables and the configuration file, in that order. */
import { resolve } from 'node:path';
import { ConfigFile } from '../../etcd/config-file.js';
import { DEFAULT_CONFIG_FILE } from '../../etcd/connection-options.js';
import { resolveApi, type ApiListenOptions } from '../../node/api-options.js';
import type { NodeOptions } from '../../node/options.js';
import { readPolicyFile, underPolicyFile } from '../../node/policy-file.js';
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

export interface PolicySource {
  readonly path: string;
  /** As the settings have them, without those of the file. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface WorkerConfig {
  readonly node: Omit<NodeOptions, 'host' | 'pid' | 'version'>;
  readonly log: Pick<LoggerOptions, 'level' | 'format'>;
  /** The file that `node.policy` and some of its labels are from; null: there is none. */
  readonly policyFile: PolicySource | null;
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
  const options = resolveNodeOptions(find);
  const path = find('policy')?.value;
  const policyFile = path === undefined ? null : { path: resolve(path), labels: options.labels };
  const node = policyFile === null ? options : { ...options, ...(await underPolicy(policyFile)) };
  return {
    node,
    policyFile,
    output: resolveOutput(find, node.name, defaultOutputDir(env)),
    api: resolveApi(find),
    log: {
      level: find('logLevel')?.value ?? 'info',
      format: find('logFormat')?.value ?? (sources.isTTY ? 'pretty' : 'json'),
    },
  };
}

async function underPolicy({ path, labels }: PolicySource) {
  return underPolicyFile(labels, await readPolicyFile(path), path);
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
