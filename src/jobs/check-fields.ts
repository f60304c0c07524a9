import { templateProblems } from './check-templates.js';
import type { LocalProblem } from './problem.js';
import type { JobDefinition } from './schema.js';

export const TASKS = ['command', 'http', 'handler'] as const;

type Task = (typeof TASKS)[number];

/** Fields that mean something to one kind of task only. */
export const FIELDS_OF: Readonly<Record<Task, readonly (keyof JobDefinition)[]>> = {
  command: ['env', 'cwd', 'user', 'group', 'umask', 'nice', 'stdin', 'successExitCodes'],
  http: [],
  handler: ['payload'],
};

/** What is wrong with how the fields of a definition, each of them good, go together. Paths are those of the definition. */
export function fieldProblems(definition: JobDefinition): LocalProblem[] {
  return [
    ...countProblems(definition),
    ...overlapProblems(definition),
    ...retryProblems(definition),
    ...secretProblems(definition),
    ...headerProblems(definition),
    ...templateProblems(definition),
  ];
}

/** Whether it says what is to be done, in one way. Looks only at which fields there are: their values may be bad. */
export function taskProblems(definition: Readonly<Record<string, unknown>>): LocalProblem[] {
  const [task, second] = TASKS.filter((one) => definition[one] !== undefined);
  if (task === undefined)
    return [problem('command', 'is required', 'or "http", or "handler": what is to be done')];
  if (second !== undefined)
    return [problem(second, `does not go with "${task}"`, `a job has one of ${TASKS.join(', ')}`)];
  const strange = TASKS.filter((one) => one !== task).flatMap((one) =>
    FIELDS_OF[one].map((field) => ({ one, field })),
  );
  const found = strange
    .filter(({ field }) => definition[field] !== undefined)
    .map(({ one, field }) => problem(field, `goes with "${one}", not with "${task}"`));
  if (task === 'handler' && definition.secrets !== undefined)
    found.push(problem('secrets', 'does not go with "handler"', 'a handler reads its secrets itself'));
  return found;
}

function countProblems({ maxRuns, everywhere }: JobDefinition): LocalProblem[] {
  if (maxRuns === undefined || everywhere !== true) return [];
  const hint = 'runs are counted one by one, not by due time; use endAt';
  return [problem('maxRuns', 'does not go with "everywhere"', hint)];
}

function overlapProblems({ overlap, maxConcurrent }: JobDefinition): LocalProblem[] {
  const policy = typeof overlap === 'string' ? overlap : overlap?.policy;
  const found: LocalProblem[] = [];
  if (policy === 'allow' && maxConcurrent !== undefined) {
    const hint = 'with skip, queue or replace it is what decides that a due time finds no room';
    found.push(problem('maxConcurrent', 'does not go with "overlap: allow", which knows no bound', hint));
  }
  if (typeof overlap === 'object' && overlap.limit !== undefined && policy !== 'queue')
    found.push({ ...problem('overlap', 'goes with "policy: queue" only'), path: ['overlap', 'limit'] });
  return found;
}

function retryProblems(definition: JobDefinition): LocalProblem[] {
  const { retries, command } = definition;
  if (retries?.exitCodes === undefined || command !== undefined) return [];
  return [{ ...problem('retries', 'goes with "command" only'), path: ['retries', 'exitCodes'] }];
}

function secretProblems({ secrets = {}, env = {} }: JobDefinition): LocalProblem[] {
  return Object.keys(secrets)
    .filter((name) => Object.hasOwn(env, name))
    .map((name) => ({
      ...problem('secrets', 'is a variable in "env", too', 'one name can have one value only'),
      path: ['secrets', name],
    }));
}

function headerProblems({ http }: JobDefinition): LocalProblem[] {
  const names = Object.keys((typeof http === 'object' && http.headers) || {});
  return names
    .filter((name) => /^(etcron-.*|content-length|transfer-encoding|connection)$/i.test(name))
    .map((name) => ({ ...problem('http', 'is set by etcron itself'), path: ['http', 'headers', name] }));
}

function problem(field: keyof JobDefinition, message: string, hint?: string): LocalProblem {
  return { code: 'ETCRON_JOB_INVALID', path: [field], message, ...(hint === undefined ? {} : { hint }) };
}
