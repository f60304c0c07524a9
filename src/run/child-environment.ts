import { homedir } from 'node:os';

/** Names the variable by which the processes of one run are recognised, wherever they moved to. */
export const RUN_MARKER_VARIABLE = 'ETCRON_RUN_MARKER';

/** Debian's path for users, where the worker has none. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

const RESERVED_PREFIX = 'ETCRON_';

/** What a run is told about itself. */
export interface RunIdentity {
  readonly job: string;
  /** Due time, ISO 8601 in UTC. */
  readonly dueIso: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly runId: string;
  /** Grows with every claim of any firing; lets a resource refuse a run that has been superseded. */
  readonly fencingToken: string;
  /** Of a job that runs on all workers: this is the index-th (from 0) of so many runs. */
  readonly everywhere?: { readonly index: number; readonly count: number } | null;
  /** The run that it repeats, when somebody asked for that. */
  readonly rerunOf?: string | null;
}

/**
 * The whole environment of a command: nothing of the worker's own gets through but PATH, HOME, LANG and TZ, since the
 * worker's may hold etcd credentials. The job's variables override these four; names that begin with `ETCRON_` are
 * etcron's, and the job's are left out.
 */
export function childEnvironment(
  identity: RunIdentity,
  marker: string,
  jobEnv: Readonly<Record<string, string>>,
  workerEnv: Readonly<Record<string, string | undefined>> = process.env,
): Record<string, string> {
  const env: Record<string, string> = {
    PATH: workerEnv.PATH || DEFAULT_PATH,
    HOME: workerEnv.HOME || homedir(),
  };
  if (workerEnv.LANG) env.LANG = workerEnv.LANG;
  if (workerEnv.TZ) env.TZ = workerEnv.TZ;
  for (const [name, value] of Object.entries(jobEnv)) {
    if (!name.startsWith(RESERVED_PREFIX)) env[name] = value;
  }
  env.ETCRON_JOB = identity.job;
  env.ETCRON_DUE = identity.dueIso;
  env.ETCRON_ATTEMPT = String(identity.attempt);
  env.ETCRON_RUN_ID = identity.runId;
  env.ETCRON_FENCING_TOKEN = identity.fencingToken;
  if (identity.everywhere) {
    env.ETCRON_INDEX = String(identity.everywhere.index);
    env.ETCRON_COUNT = String(identity.everywhere.count);
  }
  if (identity.rerunOf) env.ETCRON_RERUN_OF = identity.rerunOf;
  env[RUN_MARKER_VARIABLE] = marker;
  return env;
}
