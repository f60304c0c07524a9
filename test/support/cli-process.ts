/** The command line as a user runs it: a process of its own, on a real etcd. */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Cluster } from './cluster.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** What does not end within this hangs. */
const TIMEOUT_MS = 60_000;

export interface CliRun {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `etcron …` against the cluster; a failure is an exit code, not a rejection. */
export async function runEtcron(
  cluster: Cluster,
  endpoints: readonly string[],
  ...args: string[]
): Promise<CliRun> {
  const where = ['--endpoints', endpoints.join(','), '--prefix', cluster.keys.prefix];
  const { exitCode, stdout, stderr, timedOut } = await execa(process.execPath, [CLI, ...args, ...where], {
    extendEnv: false,
    env: { PATH: process.env.PATH ?? '', HOME: cluster.folder },
    cwd: cluster.folder,
    stdin: 'ignore',
    reject: false,
    timeout: TIMEOUT_MS,
    maxBuffer: 500_000_000,
  });
  if (timedOut) throw new Error(`"etcron ${args.join(' ')}" did not end:\n${stderr}`);
  return { exitCode, stdout, stderr };
}
