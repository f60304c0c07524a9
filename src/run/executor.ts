/**
 * What a run does, by the kind of its task. Each kind turns a request into a `PreparedTask`: a command into a tree of
 * processes (`command-task.ts`), the others into work within the worker (`in-process-task.ts`).
 */
import { messageOf } from '../errors.js';
import type { HandlerTask } from '../jobs/index.js';
import { forbidden } from '../jobs/policy/judge.js';
import type { Policy } from '../jobs/policy/policy.js';
import { againstPolicy } from './against-policy.js';
import { prepareCommand } from './command-task.js';
import { prepareHttp } from './http-task.js';
import { prepareStartFailure } from './in-process-task.js';
import type { Launcher } from './launcher/launcher.js';
import type { OutputKeeper } from './output/output-keeper.js';
import { attemptOf } from './output/settings.js';
import type { PreparedTask, PrepareTask, RunContext, RunRequest } from './running-task.js';

export { killAllNow } from './live-trees.js';
export type { OutputTail } from './output-tail.js';
export type {
  PreparedTask,
  PrepareTask,
  RunContext,
  RunEnding,
  RunningTask,
  RunRequest,
  RunResult,
  StartPermit,
} from './running-task.js';

export interface TaskKinds {
  /** For `handler` tasks: what it is to do, or null where this worker knows no handler of that name. */
  readonly prepareHandler?: (
    task: HandlerTask,
    request: RunRequest,
    context: RunContext,
  ) => PreparedTask | null;
  /** Starts the commands; without it the worker itself does. */
  readonly launcher?: Launcher | undefined;
  /** Keeps the whole output on disk; without it only the tails in the records are kept. */
  readonly output?: OutputKeeper | undefined;
  /** What this worker may run now, whatever stands in etcd; without it everything. */
  readonly policy?: () => Policy | undefined;
}

/** What a node prepares its runs with. */
export function makePrepareTask(kinds: TaskKinds = {}): PrepareTask {
  const { prepareHandler, launcher, output } = kinds;
  const prepare: PrepareTask = (request, context) => {
    const { task } = request;
    const policy = kinds.policy?.();
    const what = policy && forbidden(policy, { ...request, name: request.identity.job });
    if (typeof what === 'string') return prepareStartFailure(context, againstPolicy(what));
    switch (task.kind) {
      case 'command':
        return prepareCommand(task, request, context, launcher ?? null);
      case 'http':
        return prepareHttp(task, request, context, policy);
      case 'handler':
        return prepareHandler?.(task, request, context) ?? prepareStartFailure(context, noHandler(task));
    }
  };
  return (request, context) => {
    try {
      return output ? prepareKept(prepare, output, request, context) : prepare(request, context);
    } catch (error) {
      // A defect in how one job is read is the matter of that job, not of the worker.
      return prepareStartFailure(context, { message: `it cannot be prepared: ${messageOf(error)}` });
    }
  };
}

/** What it writes is kept, and not removed while it runs. */
function prepareKept(
  prepare: PrepareTask,
  output: OutputKeeper,
  request: RunRequest,
  context: RunContext,
): PreparedTask {
  const attempt = attemptOf(request);
  const prepared = prepare(request, {
    clock: context.clock,
    get log() {
      return context.log;
    },
    openLog: () => output.open(attempt),
  });
  const { marker, hasProcesses } = prepared;
  return {
    ...{ marker, hasProcesses },
    get startsElsewhere() {
      return prepared.startsElsewhere ?? false;
    },
    start(permit) {
      const release = output.hold(attempt);
      const running = prepared.start(permit);
      void running.result.then(({ stdout, stderr }) => release(stdout.totalBytes + stderr.totalBytes));
      return running;
    },
  };
}

function noHandler({ handler }: HandlerTask): { message: string; hint: string } {
  return {
    message: `this worker has no handler ${JSON.stringify(handler)}`,
    hint: 'Handlers are registered by the program that runs the worker; `etcron worker` itself has none.',
  };
}
