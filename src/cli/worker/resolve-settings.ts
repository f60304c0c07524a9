/** The settings of a worker from flags, `ETCRON_*` variables and the configuration file, in that order, and their sense together. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { z } from 'zod';
import { EtcronError } from '../../errors.js';
import { formatDuration } from '../../duration.js';
import { ConfigFile } from '../../etcd/config-file.js';
import { DEFAULT_CONFIG_FILE } from '../../etcd/connection-options.js';
import { NODE_DEFAULTS, type NodeOptions } from '../../node/options.js';
import type { LoggerOptions } from '../../telemetry/logger.js';
import { WORKER_SETTINGS, type WorkerFlags, type WorkerSettingName } from './worker-settings.js';

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
}

const SECTION = 'worker';
const NAMES = Object.keys(WORKER_SETTINGS) as WorkerSettingName[];

type SettingValue<Name extends WorkerSettingName> = z.output<(typeof WORKER_SETTINGS)[Name]['schema']>;

interface Found<T> {
  readonly value: T;
  /** `--horizon`, `ETCRON_HORIZON` or `etcron.yaml:4`. */
  readonly source: string;
}

/** Rejects with ETCRON_CONFIG_INVALID, naming where the wrong value was set. */
export async function resolveWorkerSettings(sources: WorkerSources): Promise<WorkerConfig> {
  const { env } = sources;
  const file = await ConfigFile.read(
    resolve((sources.configPath ?? env.ETCRON_CONFIG) || DEFAULT_CONFIG_FILE),
  );
  file?.checkKeys([SECTION], NAMES);
  const find = <Name extends WorkerSettingName>(name: Name): Found<SettingValue<Name>> | null =>
    findSetting(name, sources, file);

  const leaseTtl = find('leaseTtl');
  const leaseTtlMs = leaseTtl?.value ?? NODE_DEFAULTS.leaseTtlMs;
  const horizon = find('horizon');
  const horizonMs = horizon?.value ?? Math.max(NODE_DEFAULTS.horizonMs, 1.5 * leaseTtlMs);
  const claimLead = find('claimLead');
  const claimLeadMs = claimLead?.value ?? NODE_DEFAULTS.claimLeadMs;
  if (horizonMs <= leaseTtlMs) {
    const problem = `a horizon of ${formatDuration(horizonMs)} is not longer than the lease TTL of ${formatDuration(leaseTtlMs)}`;
    throw invalid(
      horizon!.source,
      problem,
      'What is planned must outlast a dead leader: lengthen the horizon.',
    );
  }
  if (claimLeadMs >= horizonMs) {
    const problem = `a claim lead of ${formatDuration(claimLeadMs)} is not shorter than the horizon of ${formatDuration(horizonMs)}`;
    throw invalid(
      claimLead?.source ?? horizon!.source,
      problem,
      'A firing can be claimed only once it is planned.',
    );
  }
  return {
    node: {
      ...NODE_DEFAULTS,
      name: find('name')?.value ?? defaultName(),
      labels: find('labels')?.value ?? NODE_DEFAULTS.labels,
      capacity: find('capacity')?.value ?? NODE_DEFAULTS.capacity,
      leaseTtlMs,
      horizonMs,
      // What was planned in the stride before must still outlast the lease.
      strideMs: Math.min(NODE_DEFAULTS.strideMs, (horizonMs - leaseTtlMs) / 2),
      claimLeadMs,
      staggerMs: find('stagger')?.value ?? NODE_DEFAULTS.staggerMs,
      drainGraceMs: find('drainGrace')?.value ?? NODE_DEFAULTS.drainGraceMs,
      killGraceMs: find('killGrace')?.value ?? NODE_DEFAULTS.killGraceMs,
    },
    log: {
      level: find('logLevel')?.value ?? 'info',
      format: find('logFormat')?.value ?? (sources.isTTY ? 'pretty' : 'json'),
    },
  };
}

function findSetting<Name extends WorkerSettingName>(
  name: Name,
  { flags, env }: WorkerSources,
  file: ConfigFile | null,
): Found<SettingValue<Name>> | null {
  const { flag, variable, schema } = WORKER_SETTINGS[name];
  const path = [SECTION, name];
  const fromFlag = name === 'labels' ? flags.label : (flags as Readonly<Record<string, unknown>>)[name];
  const fromFile = file?.get(...path);
  let given: Found<unknown>;
  if (fromFlag !== undefined) given = { value: fromFlag, source: flag };
  else if (env[variable]) given = { value: env[variable], source: variable };
  else if (file && fromFile !== undefined && fromFile !== null) {
    given = { value: fromFile, source: file.where(path) };
  } else return null;
  const parsed = schema.safeParse(given.value);
  if (parsed.success) return { ...given, value: parsed.data as SettingValue<Name> };
  throw invalid(given.source, `${name}: ${parsed.error.issues[0]!.message}`);
}

/** The host name, with what a name may not hold replaced. */
function defaultName(): string {
  const plain = hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100);
  return plain === '' ? 'worker' : plain;
}

function invalid(source: string, problem: string, hint?: string): EtcronError {
  return new EtcronError('ETCRON_CONFIG_INVALID', `${source}: ${problem}`, {
    details: { source },
    ...(hint === undefined ? {} : { hint }),
  });
}
