/** What a node of the library is made with, checked before anything is started. */
import type { Registry, RegistryContentType } from 'prom-client';
import { EtcronError } from '../errors.js';
import { CONNECTION_SETTINGS, type ConnectionSetting } from '../etcd/connection-settings.js';
import { resolveConnectionOptions, type ConnectionOptions } from '../etcd/connection-options.js';
import { unknownFieldHint } from '../jobs/index.js';
import type { NodeOptions } from '../node/options.js';
import { resolveOutput } from '../node/output-options.js';
import {
  invalidSetting,
  parseSetting,
  resolveNodeOptions,
  type FindSetting,
  type FoundSetting,
  type SettingValue,
} from '../node/resolve-options.js';
import { WORKER_SETTINGS, type WorkerSettingName } from '../node/worker-settings.js';
import type { Handler, HandlerFunction } from '../run/handler-task.js';
import type { OutputSettings } from '../run/output/settings.js';
import { createLogger, LOG_LEVELS, type Logger, type LogLevel } from '../telemetry/logger.js';
import { METRICS } from '../telemetry/metrics/definitions.js';
import type { DefinedJob } from './define-job.js';
import { DefinedHandler, toDefinedJob, type TaskJob } from './define-job.js';

/** Where etcd is. What is left out comes from the `ETCRON_*` variables, else from the defaults. */
export interface EtcdOptions {
  /** `host:port` or URLs; default `127.0.0.1:2379`. */
  readonly endpoints?: string | readonly string[];
  /** A file with the certificates of the authorities that etcd is verified by, PEM. */
  readonly cacert?: string;
  /** A file with the client certificate, PEM. */
  readonly cert?: string;
  /** A file with its private key, PEM. */
  readonly key?: string;
  /** The etcd user. */
  readonly user?: string;
  /** The user's password. */
  readonly password?: string;
  /** A file that holds the password. */
  readonly passwordFile?: string;
  /** How long a connection may take, such as `3s`. */
  readonly dialTimeout?: string;
  /** How long a call may take, fail-over included, such as `3s`. */
  readonly callTimeout?: string;
  /** What etcd has as its `--quota-backend-bytes`; a warning is logged when the database fills 80 % of it. Default 2 GiB. */
  readonly quotaBytes?: number;
}

/** How jobs in code become jobs in etcd. */
export interface SyncOptions {
  /**
   * The name of this set of jobs; default `default`. Programs that define different jobs for one cluster need different names.
   * It is marked as `code:<name>`, so that no `etcron apply --prune` takes its jobs away, and it takes away none of theirs.
   */
  readonly set?: string;
  /** Also delete the jobs that the set manages and that are not in `jobs` any more; default false. */
  readonly prune?: boolean;
  /** Take jobs over that another set manages, instead of refusing; default false. */
  readonly takeOver?: boolean;
}

/** What `createNode` takes. Durations are texts such as `10s`. */
export interface CreateNodeOptions {
  /** Where etcd is. */
  readonly etcd?: EtcdOptions;
  /** The key below which everything lies; default `/cron`. */
  readonly prefix?: string;
  /** The name of this worker; a restart keeps it. Default: the host name. Two nodes on one host need two names. */
  readonly name?: string;
  /** Jobs in code: made with `defineJob`, or the fields of a file of jobs with a `name`. Written to etcd at the start. */
  readonly jobs?: readonly (DefinedJob | TaskJob)[];
  /** Handlers whose jobs stand elsewhere, by name. */
  readonly handlers?: Readonly<Record<string, DefinedHandler | HandlerFunction>>;
  /** How the jobs are written; false: not at all, and only their handlers are used. */
  readonly sync?: SyncOptions | false;
  /** How many runs at once, more exactly: the sum of their weights; default 64. */
  readonly capacity?: number;
  /** Labels that jobs can ask for in `target`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** A pino logger, or a level of JSON lines on stderr; default `warn`. */
  readonly log?: Logger | LogLevel;
  /**
   * A registry of prom-client: the node's metrics are put into it at the start and taken out at the stop. Two nodes need two
   * registries. Default: none, and nothing is measured.
   */
  readonly metrics?: Registry<RegistryContentType>;
  /**
   * A small process beside this one, which ends commands and gives the lease back when this process dies or freezes; default
   * true. Without it others take over when the lease has expired, and commands may outlive this process.
   */
  readonly watchdog?: boolean;
  /** After this long without a sign of life a worker counts as dead; default `10s`. */
  readonly leaseTtl?: string;
  /** How long a stop waits for runs before it ends them; default `30s`. */
  readonly drainGrace?: string;
  /** How long a run that is to end may take for that: from its signal to SIGKILL, for a command; default `10s`. */
  readonly killGrace?: string;
  /**
   * A folder, as an absolute path, where the whole output of runs is kept: what commands write, what handlers log and return.
   * Without it only the ends are kept, in the records.
   */
  readonly outputDir?: string;
  /** How much output is kept in all, such as `5GiB`; the oldest goes first. Default `1GiB`. */
  readonly outputLimit?: string;
  /** How long output is kept; default `14d`. */
  readonly outputMaxAge?: string;
  /** How much of one attempt is kept; of a longer output the beginning and the end. Default `32MiB`. */
  readonly outputRunLimit?: string;
  /** How far ahead the leader plans; default `15s`, or 1.5 `leaseTtl`. */
  readonly horizon?: string;
  /** How long before its due time a firing is claimed; default `500ms`. */
  readonly claimLead?: string;
  /** How much later the next worker in order tries to claim; default `100ms`. */
  readonly stagger?: string;
}

/** The set of jobs in code that has no name of its own. */
const DEFAULT_SET = 'default';
const SET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const OPTION_NAMES = [
  ...[
    'etcd',
    'prefix',
    'name',
    'jobs',
    'handlers',
    'sync',
    'capacity',
    'labels',
    'log',
    'metrics',
    'watchdog',
  ],
  ...['leaseTtl', 'drainGrace', 'killGrace', 'horizon', 'claimLead', 'stagger'],
  ...['outputDir', 'outputLimit', 'outputMaxAge', 'outputRunLimit'],
];
const ETCD_NAMES = Object.keys(CONNECTION_SETTINGS).filter((name) => name !== 'prefix');
const SYNC_NAMES = ['set', 'prune', 'takeOver'];

export interface ResolvedOptions {
  readonly node: Omit<NodeOptions, 'host' | 'pid' | 'version'>;
  readonly jobs: readonly DefinedJob[];
  readonly handlers: ReadonlyMap<string, Handler>;
  /** Null: the jobs are not written. `mark` is what stands beside them in etcd. */
  readonly sync: { readonly mark: string; readonly prune: boolean; readonly takeOver: boolean } | null;
  readonly log: Logger;
  /** Null: only the tails in the records are kept. */
  readonly output: OutputSettings | null;
  readonly metrics: Registry<RegistryContentType> | null;
  readonly watchdog: boolean;
}

/** @throws EtcronError ETCRON_CONFIG_INVALID, or what is wrong with a job. */
export function resolveOptions(options: CreateNodeOptions): ResolvedOptions {
  checkNames('options', options, OPTION_NAMES);
  checkNames('options.etcd', options.etcd ?? {}, ETCD_NAMES);
  if (options.sync) checkNames('options.sync', options.sync, SYNC_NAMES);
  const jobs = (options.jobs ?? []).map(toDefinedJob);
  const handlers = handlersOf(jobs, options.handlers ?? {});
  const find: FindSetting = (name) => findSetting(name, options);
  const node = resolveNodeOptions(find);
  return {
    node: { ...node, handlers: [...handlers.keys()] },
    output: resolveOutput(find, node.name, null),
    jobs,
    handlers,
    sync: resolveSync(options.sync),
    log: resolveLog(options.log),
    metrics: resolveMetrics(options.metrics),
    watchdog: options.watchdog ?? true,
  };
}

/** Rejects with ETCRON_CONFIG_INVALID, or ETCRON_FILE_UNREADABLE. */
export function resolveConnection({ etcd, prefix }: CreateNodeOptions): Promise<ConnectionOptions> {
  return resolveConnectionOptions({
    flags: { ...etcd, ...(prefix === undefined ? {} : { prefix }) },
    nameOf: (setting: ConnectionSetting) =>
      setting === 'prefix' ? 'options.prefix' : `options.etcd.${setting}`,
    configPath: null,
  });
}

function findSetting<Name extends WorkerSettingName>(
  name: Name,
  options: CreateNodeOptions,
): FoundSetting<SettingValue<Name>> | null {
  const given = (options as Readonly<Record<string, unknown>>)[name];
  if (given !== undefined) return parseSetting(name, given, 'options');
  const { variable } = WORKER_SETTINGS[name];
  const fromVariable = process.env[variable];
  return fromVariable ? parseSetting(name, fromVariable, variable) : null;
}

function handlersOf(
  jobs: readonly DefinedJob[],
  others: NonNullable<CreateNodeOptions['handlers']>,
): Map<string, Handler> {
  const handlers = new Map<string, Handler>();
  const seen = new Set<string>();
  for (const { name, handler } of jobs) {
    if (seen.has(name)) throw invalidSetting('options.jobs', `the job ${name} is there twice`);
    seen.add(name);
    if (handler !== null) handlers.set(name, handler);
  }
  for (const [name, given] of Object.entries(others)) {
    const source = `options.handlers.${name}`;
    if (handlers.has(name)) throw invalidSetting(source, 'a job of this name has a handler already');
    if (given instanceof DefinedHandler) handlers.set(name, given.handler);
    else if (typeof given === 'function') handlers.set(name, { schema: null, handle: given });
    else throw invalidSetting(source, 'must be a function, or made with defineHandler');
  }
  return handlers;
}

function resolveSync(sync: SyncOptions | false = {}): ResolvedOptions['sync'] {
  if (sync === false) return null;
  const set = sync.set ?? DEFAULT_SET;
  if (!SET_NAME.test(set))
    throw invalidSetting('options.sync.set', 'must have letters, digits, ".", "_" and "-", 128 at most');
  return { mark: `code:${set}`, prune: sync.prune ?? false, takeOver: sync.takeOver ?? false };
}

function resolveMetrics(metrics: CreateNodeOptions['metrics']): ResolvedOptions['metrics'] {
  if (metrics === undefined) return null;
  if (typeof metrics !== 'object' || typeof metrics.registerMetric !== 'function')
    throw invalidSetting('options.metrics', 'must be a registry of prom-client');
  if (metrics.getSingleMetric(METRICS.buildInfo.name) !== undefined)
    throw invalidSetting(
      'options.metrics',
      'the registry holds the metrics of another node',
      'Give each node a registry of its own, and show them together with Registry.merge.',
    );
  return metrics;
}

function resolveLog(log: Logger | LogLevel = 'warn'): Logger {
  if (typeof log === 'object' && typeof log.child === 'function') return log;
  if (typeof log === 'string' && LOG_LEVELS.includes(log))
    return createLogger({ level: log, destination: { write: (line) => void process.stderr.write(line) } });
  throw invalidSetting('options.log', `must be a pino logger, or one of ${LOG_LEVELS.join(', ')}`);
}

function checkNames(source: string, given: object, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null) throw invalidSetting(source, 'must be an object');
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new EtcronError('ETCRON_CONFIG_INVALID', `${source}.${unknown}: there is no such option`, {
    hint: unknownFieldHint(unknown, known),
    details: { source: `${source}.${unknown}` },
  });
}
