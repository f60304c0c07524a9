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
 * Node connects a child's streams by sockets, not pipes: a command that opens `/dev/stdout`, `/dev/stderr` or, with `stdin`,
 * `/dev/stdin` by name fails with ENXIO; `>&1`, `>&2` and `<&0` work.
 */
import { randomBytes } from 'node:crypto';
import type { CommandTask } from '../jobs/index.js';
import { findAccount, type Account } from './account.js';
import { childEnvironment } from './child-environment.js';
import { prepareStartFailure } from './in-process-task.js';
import { planLaunch } from './launch.js';
import type { Launcher } from './launcher/launcher.js';
import { RemoteCommand } from './launcher/remote-command.js';
import { LiveCommand, spawnNow } from './live-command.js';
import { NO_LOG } from './output/attempt-log.js';
import { attemptOf } from './output/settings.js';
import { asIs, inShell, TemplateRenderer } from './render-template.js';
import type { PreparedTask, RunContext, RunRequest } from './running-task.js';
import { readSecrets } from './secrets.js';
import { spawnInOwnSession } from './spawn.js';

/**
 * Does ahead of the due time what a start does not have to wait for. Starts no command and holds nothing. Where there is a
 * launcher that answers, it will start the command, otherwise this process does.
 */
export function prepareCommand(
  task: CommandTask,
  request: RunRequest,
  context: RunContext,
  launcher: Launcher | null,
): PreparedTask {
  const found = findAccount(task.user, task.group, context.clock);
  if (!found.ok) return prepareStartFailure(context, found.failure);
  const { account } = found;
  const marker = randomBytes(16).toString('hex');
  const launch = planLaunch({ ...task, ...fillIn(task, request, marker, account), account });
  if ('failure' in launch) return prepareStartFailure(context, launch.failure);
  const user = account === null ? undefined : (account.name ?? String(account.uid));
  launcher?.expect();
  let started = false;
  return {
    marker,
    hasProcesses: true,
    get startsElsewhere() {
      return launcher?.isReady ?? false;
    },
    start(permit = () => Infinity) {
      if (started) throw new Error('a prepared command starts once: its marker names one run');
      started = true;
      const secrets = readSecrets(request.secrets);
      if (!secrets.ok) return prepareStartFailure(context, secrets.failure).start();
      const { values, mask } = secrets;
      const env = { ...launch.env, ...values };
      const plan = { launch: { ...launch, env }, user, mask, marker, request };
      const { clock, log } = context;
      const startHere = (): LiveCommand => {
        const spawned = spawnNow(plan.launch, clock, spawnInOwnSession);
        return new LiveCommand(plan, spawned, { clock, log, output: context.openLog?.() ?? NO_LOG });
      };
      if (!launcher?.isReady) return startHere();
      const { outlivesWorker = false } = request;
      const hidden = Object.values(values);
      const attempt = attemptOf(request);
      return new RemoteCommand(
        { ...plan, hidden, outlivesWorker, permit, startHere, attempt },
        context,
        launcher,
      );
    },
  };
}

/** The texts of the task as this attempt has them. Secrets come later, and go into the environment only. */
function fillIn(
  { command, env, stdin }: CommandTask,
  request: RunRequest,
  marker: string,
  account: Account | null,
): Pick<CommandTask, 'command' | 'env' | 'stdin'> {
  const templates = new TemplateRenderer(request);
  const variables = Object.entries(env).map(
    ([name, value]) => [name, templates.render(value, asIs)] as const,
  );
  const { name, home } = account ?? { name: null, home: null };
  const login = name === null ? {} : { USER: name, LOGNAME: name };
  const workerEnv = home === null ? process.env : { ...process.env, HOME: home };
  const jobEnv = { ...login, ...Object.fromEntries(variables) };
  return {
    command:
      typeof command === 'string'
        ? templates.render(command, inShell)
        : command.map((part) => templates.render(part, asIs)),
    env: childEnvironment(request.identity, marker, jobEnv, workerEnv),
    stdin: stdin === null ? null : templates.render(stdin, asIs),
  };
}
