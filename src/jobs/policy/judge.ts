/**
 * What of a job a policy forbids, in words for the record and for `etcron status`. Nothing here looks at the machine: all
 * nodes come to the same answer, so that firings go to workers that may run them.
 *
 * Whatever decides what is executed must be known from the definition: a program whose path has a template in it, or is
 * looked up in PATH, is forbidden.
 */
import type { CommandTask, HttpTask, Job, SecretSource, Task } from '../job.js';
import { quote } from '../printable.js';
import type { Policy } from './policy.js';
import { matchesAny } from './wildcard.js';

/** What of a job counts. */
export interface Judged {
  readonly name: string;
  readonly task: Task;
  readonly secrets: Job['secrets'];
}

/** Null, or what is forbidden, such as `the program "/bin/rm"`. */
export function forbidden(policy: Policy, { name, task, secrets }: Judged): string | null {
  if (policy.jobs !== undefined && !matchesAny(policy.jobs, name)) return `the job ${quote(name)}`;
  return forbiddenTask(policy, task) ?? forbiddenSecret(policy, secrets);
}

/** The same for the host of a URL, once its templates are filled in. */
export function forbiddenUrl({ http }: Policy, url: URL): string | null {
  if (http === undefined) return 'HTTP requests';
  const host = url.hostname.replace(/\.$/, '');
  return matchesAny(
    http.hosts.map((pattern) => pattern.toLowerCase()),
    host,
  )
    ? null
    : `the host ${quote(host)}`;
}

function forbiddenTask(policy: Policy, task: Task): string | null {
  switch (task.kind) {
    case 'command':
      return forbiddenCommand(policy, task);
    case 'http':
      return forbiddenRequest(policy, task);
    case 'handler':
      return policy.handlers !== undefined && matchesAny(policy.handlers, task.handler)
        ? null
        : `the handler ${quote(task.handler)}`;
  }
}

function forbiddenCommand({ commands }: Policy, task: CommandTask): string | null {
  if (commands === undefined) return 'commands';
  const { command, env, cwd, user, group } = task;
  if (typeof command === 'string') {
    if (!commands.shell) return 'commands through a shell';
  } else {
    const program = command[0] ?? '';
    if (!isPlainPath(program) || !matchesAny(commands.programs, program))
      return `the program ${quote(program)}`;
  }
  const variable = Object.keys(env).find((one) => !matchesAny(commands.env, one));
  if (variable !== undefined) return `the variable ${quote(variable)}`;
  if (cwd !== null && !(isPlainPath(cwd) && matchesAny(commands.cwd, cwd)))
    return `the working directory ${quote(cwd)}`;
  if (user === null && !commands.ownUser) return "the worker's own user";
  if (user !== null && !commands.users.includes(user)) return `the user ${quote(user)}`;
  return group === null || commands.groups.includes(group) ? null : `the group ${quote(group)}`;
}

/** What stands in for a template: a character that changes no part of a URL but its own. */
const FILLER = 'x';

function forbiddenRequest(policy: Policy, { url }: HttpTask): string | null {
  if (policy.http === undefined) return 'HTTP requests';
  const authority = /^[a-z]+:[/\\]*[^/\\?#]*/i.exec(url)?.[0] ?? url;
  const filled = url.replaceAll(/\{\{.*?\}\}/gs, FILLER);
  if (authority.includes('{{') || !URL.canParse(filled)) return 'a URL whose host is not fixed';
  return forbiddenUrl(policy, new URL(filled));
}

function forbiddenSecret(
  { secrets: allowed }: Policy,
  secrets: Readonly<Record<string, SecretSource>>,
): string | null {
  for (const source of Object.values(secrets)) {
    if ('env' in source) {
      if (!matchesAny(allowed?.env ?? [], source.env))
        return `the secret in the variable ${quote(source.env)}`;
    } else if (!isPlainPath(source.file) || !matchesAny(allowed?.files ?? [], source.file))
      return `the secret in ${quote(source.file)}`;
  }
  return null;
}

/** Absolute, without detours, and without a template. */
function isPlainPath(path: string): boolean {
  return path.startsWith('/') && !/(^|\/)\.{1,2}(\/|$)|\/\/|\0|\{\{/.test(path);
}
