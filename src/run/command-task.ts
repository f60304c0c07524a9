/**
 * Executes a command for one attempt.
 *
 *   prepare ── start ──▶ running ── main process ends ──▶ leftovers ended ──▶ output closed ──▶ result
 *                 └─ cannot start ─────────────────────────────────────────────────────────────────▲
 *
 * - A run is a whole process tree, and it is over when the tree is gone: a later attempt, here or elsewhere, never runs
 *   beside remains of this one.
 * - The main process decides how the run ended. When it ends by itself, what it left in its process group gets SIGTERM
 *   and, after the grace, SIGKILL; so does the rest of the tree where somebody still holds the output open. Only a
 *   process that has left the group *and* the output is a daemon that the command meant to leave, and stays. That
 *   takes one system call per run; the processes of the machine are looked at only when something did stay.
 * - When the run is killed or times out, everything goes, daemons too. The first cause is the one reported.
 * - Output that stays open although no process of the run is left (one in disguise holds it) is given up.
 *
 * Node connects a child's output by sockets, not pipes: a command that opens `/dev/stdout` or `/dev/stderr` by name fails
 * with ENXIO; `>&1` and `>&2` work.
 */
import { randomBytes } from 'node:crypto';
import type { CommandTask } from '../jobs/index.js';
import { childEnvironment } from './child-environment.js';
import { LiveCommand } from './live-command.js';
import type { PreparedTask, RunContext, RunRequest } from './running-task.js';

/** Does ahead of the due time what a start does not have to wait for. Starts nothing and holds nothing. */
export function prepareCommand(task: CommandTask, request: RunRequest, context: RunContext): PreparedTask {
  const marker = randomBytes(16).toString('hex');
  const env = childEnvironment(request.identity, marker, task.env);
  const [file = '', ...args] =
    typeof task.command === 'string' ? ['/bin/sh', '-c', task.command] : task.command;
  let started = false;
  return {
    marker,
    hasProcesses: true,
    start() {
      if (started) throw new Error('a prepared command starts once: its marker names one run');
      started = true;
      return new LiveCommand({ file, args, env, cwd: task.cwd, marker, request }, context);
    },
  };
}
