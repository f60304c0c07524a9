/**
 * A child process that never outlives this one, not even when this one is killed with SIGKILL.
 *
 * Beside the child runs a guard: a shell of a few lines that waits on a pipe whose other end only this process holds.
 * When this process ends, in whatever way, the kernel closes the pipe, and the guard kills the child's process group with
 * SIGKILL (which also ends stopped ones) and removes the folder that it was told to. `prctl(PR_SET_PDEATHSIG)` would do it on Linux
 * only, and fires when the *thread* that spawned the child ends.
 *
 * Child and guard each lead a session of their own, so a Ctrl-C in the terminal does not reach them: the owner decides
 * when and how they stop. When the child and whatever shares its output have ended, the guard is ended too, since from
 * then on the process id can be used again.
 */
import { spawn, type ChildProcess } from 'node:child_process';

const GUARD_SCRIPT = `
read -r pid || exit 0
read -r _
if [ -n "$2" ]; then
  kill -s TERM -- "$pid" 2>/dev/null
  sleep 1
  kill -s TERM -- "$pid" 2>/dev/null
  for _ in 1 2 3; do
    kill -s 0 -- "$pid" 2>/dev/null || break
    sleep 1
  done
fi
kill -s KILL -- "-$pid" 2>/dev/null
[ -z "$1" ] || rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }
`;

export interface GuardedOptions {
  env: NodeJS.ProcessEnv;
  cwd?: string;
  /** A folder that the guard deletes when this process dies before the child; give it temporary folders only. */
  removeWhenOrphaned?: string;
  /**
   * When this process dies before the child, the child gets SIGTERM twice, a second apart, and some time, before the
   * SIGKILL: for a program that has processes of its own to end.
   */
  stopWhenOrphaned?: boolean;
}

/**
 * Starts `command` with stdin closed and stdout and stderr as pipes. Like `child_process.spawn`, it reports a command
 * that cannot be started through the child's `error` event.
 */
export function spawnGuarded(
  command: string,
  args: readonly string[],
  options: GuardedOptions,
): ChildProcess {
  const parameters = [options.removeWhenOrphaned ?? '', options.stopWhenOrphaned === true ? 'stop' : ''];
  const guard = spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'etcron-guard', ...parameters], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  });
  const endGuard = (): void => {
    guard.kill('SIGKILL');
  };
  // Both would only say that the guard is gone already.
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);

  const child = spawn(command, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: options.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  child.once('close', endGuard);
  child.once('error', endGuard);
  if (child.pid !== undefined) guard.stdin.write(`${child.pid}\n`);
  guard.unref();
  return child;
}
