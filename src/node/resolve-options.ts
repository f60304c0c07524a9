/** The settings of a worker, wherever they were written: their values, and their sense together. */
import { hostname } from 'node:os';
import type { z } from 'zod';
import { formatDuration } from '../duration.js';
import { EtcronError } from '../errors.js';
import { NODE_DEFAULTS, type NodeOptions } from './options.js';
import { WORKER_SETTINGS, type WorkerSettingName } from './worker-settings.js';

export type SettingValue<Name extends WorkerSettingName> = z.output<(typeof WORKER_SETTINGS)[Name]['schema']>;

/** A value, and where it was set: `--horizon`, `ETCRON_HORIZON`, `etcron.yaml:4`, `options.horizon`. */
export interface FoundSetting<T> {
  readonly value: T;
  readonly source: string;
}

/** Looks a setting up; null where it was not set. Throws ETCRON_CONFIG_INVALID for a wrong value. */
export type FindSetting = <Name extends WorkerSettingName>(
  name: Name,
) => FoundSetting<SettingValue<Name>> | null;

/** Throws ETCRON_CONFIG_INVALID, naming where the wrong value was set. */
export function resolveNodeOptions(find: FindSetting): Omit<NodeOptions, 'host' | 'pid' | 'version'> {
  const leaseTtlMs = find('leaseTtl')?.value ?? NODE_DEFAULTS.leaseTtlMs;
  const horizon = find('horizon');
  const horizonMs = horizon?.value ?? Math.max(NODE_DEFAULTS.horizonMs, 1.5 * leaseTtlMs);
  const claimLead = find('claimLead');
  const claimLeadMs = claimLead?.value ?? NODE_DEFAULTS.claimLeadMs;
  if (horizonMs <= leaseTtlMs) {
    const problem = `a horizon of ${formatDuration(horizonMs)} is not longer than the lease TTL of ${formatDuration(leaseTtlMs)}`;
    throw invalidSetting(
      horizon!.source,
      problem,
      'What is planned must outlast a dead leader: lengthen the horizon.',
    );
  }
  if (claimLeadMs >= horizonMs) {
    const problem = `a claim lead of ${formatDuration(claimLeadMs)} is not shorter than the horizon of ${formatDuration(horizonMs)}`;
    throw invalidSetting(
      claimLead?.source ?? horizon!.source,
      problem,
      'A firing can be claimed only once it is planned.',
    );
  }
  return {
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
  };
}

/** What `schema` makes of a value; throws ETCRON_CONFIG_INVALID, naming the source. */
export function parseSetting<Name extends WorkerSettingName>(
  name: Name,
  value: unknown,
  source: string,
): FoundSetting<SettingValue<Name>> {
  const parsed = WORKER_SETTINGS[name].schema.safeParse(value);
  if (parsed.success) return { value: parsed.data as SettingValue<Name>, source };
  throw invalidSetting(source, `${name}: ${parsed.error.issues[0]!.message}`);
}

export function invalidSetting(source: string, problem: string, hint?: string): EtcronError {
  return new EtcronError('ETCRON_CONFIG_INVALID', `${source}: ${problem}`, {
    details: { source },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The host name, with what a name may not hold replaced. */
function defaultName(): string {
  const plain = hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 100);
  return plain === '' ? 'worker' : plain;
}
