/**
 * What a run does, by the kind of its task. Each kind turns a request into a `PreparedTask`: a command into a tree of
 * processes (`command-task.ts`), the others into work within the worker (`in-process-task.ts`).
 */
import { messageOf } from '../errors.js';
import type { HandlerTask } from '../jobs/index.js';
import { prepareCommand } from './command-task.js';
import { prepareHttp } from './http-task.js';
import { prepareStartFailure } from './in-process-task.js';
import type { Launcher } from './launcher/launcher.js';
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
}

/** What a node prepares its runs with. */
export function makePrepareTask({ prepareHandler, launcher }: TaskKinds = {}): PrepareTask {
  const prepare: PrepareTask = (request, context) => {
    const { task } = request;
    switch (task.kind) {
      case 'command':
        return prepareCommand(task, request, context, launcher ?? null);
      case 'http':
        return prepareHttp(task, request, context);
      case 'handler':
        return prepareHandler?.(task, request, context) ?? prepareStartFailure(context, noHandler(task));
    }
  };
  return (request, context) => {
    try {
      return prepare(request, context);
    } catch (error) {
      // A defect in how one job is read is the matter of that job, not of the worker.
      return prepareStartFailure(context, { message: `it cannot be prepared: ${messageOf(error)}` });
    }
  };
}

function noHandler({ handler }: HandlerTask): { message: string; hint: string } {
  return {
    message: `this worker has no handler ${JSON.stringify(handler)}`,
    hint: 'Handlers are registered by the program that runs the worker; `etcron worker` itself has none.',
  };
}
