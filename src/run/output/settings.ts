/** Where a worker keeps the whole output of its runs, and how much of it. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { RunRequest } from '../running-task.js';

export interface OutputSettings {
  /** An absolute path; each worker has a folder of its own in `outputDir`, so that two on one machine keep apart. */
  readonly folder: string;
  /** What one attempt may keep: of a longer output the beginning and the end. */
  readonly attemptLimitBytes: number;
  /** What all attempts together may keep; the oldest go first. */
  readonly totalLimitBytes: number;
  readonly maxAgeMs: number;
}

const MIB = 2 ** 20;

export const OUTPUT_DEFAULTS = {
  attemptLimitBytes: 32 * MIB,
  totalLimitBytes: 1024 * MIB,
  maxAgeMs: 14 * 86_400_000,
} as const;

/** A part of an output is not smaller, whatever the limit. */
export const MIN_PART_BYTES = 64 * 1024;

/** The attempt of a run, as its output knows it. */
export interface AttemptFacts {
  /** `<job>/<due>[+suffix]` */
  readonly runId: string;
  /** 1 for the first. */
  readonly attempt: number;
  /** Tells two claims of one attempt apart. */
  readonly fencingToken: string;
  readonly nodeId: string | null;
}

export function attemptOf({ identity, nodeId }: Pick<RunRequest, 'identity' | 'nodeId'>): AttemptFacts {
  const { runId, attempt, fencingToken } = identity;
  return { runId, attempt, fencingToken, nodeId: nodeId ?? null };
}

/** The folder of one worker below the folder of all of them on this machine. */
export function workerFolder(outputDir: string, worker: string): string {
  return join(outputDir, worker);
}

/**
 * Where output goes that no setting gives a place: the folder that a service manager made for the state of the service
 * (`STATE_DIRECTORY`, systemd), else `$XDG_STATE_HOME/etcron/output`, `~/.local/state/etcron/output` by default.
 */
export function defaultOutputDir(env: Readonly<Record<string, string | undefined>>): string {
  const service = env.STATE_DIRECTORY?.split(':')[0];
  if (service && isAbsolute(service)) return join(service, 'output');
  const state = env.XDG_STATE_HOME;
  const home = env.HOME || homedir();
  return join(state && isAbsolute(state) ? state : join(home, '.local', 'state'), 'etcron', 'output');
}
