/** What stands for commands and requests in a test cluster: a function of the test. */
import { sleep } from '../clock.js';
import { parseDuration } from '../duration.js';
import { EtcronError } from '../errors.js';
import { prepareInProcess } from '../run/in-process-task.js';
import type { PreparedTask, RunContext, RunRequest } from '../run/executor.js';

/** A command that a job would run, or a request that it would send. */
export interface FakeCall {
  readonly job: string;
  readonly due: Date;
  readonly attempt: number;
  readonly runId: string;
  /** The name of the worker that runs it. */
  readonly worker: string;
  /** As the job says it; null for a request. */
  readonly command: string | readonly string[] | null;
  /** The variables of the job. */
  readonly env: Readonly<Record<string, string>>;
  /** Null for a command. */
  readonly url: string | null;
  /** Aborted when the run is to end. */
  readonly signal: AbortSignal;
}

/** How it ends; nothing is a success at once. */
export interface FakeResult {
  /** How long it takes: ms, or a duration such as `5m`; default 0. */
  readonly took?: number | string;
  /** Default 0. */
  readonly exitCode?: number;
  /** It fails in a way that no exit code tells, for this reason. */
  readonly fails?: string;
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Called instead of running a command or sending a request. */
export type FakeTask = (call: FakeCall) => FakeResult | void | Promise<FakeResult | void>;

export function prepareFake(
  fake: FakeTask,
  worker: string,
  request: RunRequest,
  context: RunContext,
): PreparedTask {
  const { task, identity } = request;
  let exitCode = 0;
  const prepared = prepareInProcess(request, context, async ({ signal, stdout, stderr }) => {
    const { took = 0, ...result } =
      (await fake({
        ...{ job: identity.job, due: new Date(identity.dueIso), attempt: identity.attempt },
        ...{ runId: identity.runId, worker, signal },
        command: task.kind === 'command' ? task.command : null,
        env: task.kind === 'command' ? task.env : {},
        url: task.kind === 'http' ? task.url : null,
      })) ?? {};
    const tookMs = typeof took === 'number' ? took : parseDuration(took);
    if (tookMs === null)
      throw new EtcronError('ETCRON_USAGE', `took: ${JSON.stringify(took)} is not a duration`);
    if (tookMs > 0) await sleep(context.clock, tookMs, signal);
    stdout.write(Buffer.from(result.stdout ?? ''));
    stderr.write(Buffer.from(result.stderr ?? ''));
    exitCode = result.exitCode ?? 0;
    return result.fails === undefined ? { kind: 'completed' } : { kind: 'failed', reason: result.fails };
  });
  if (task.kind !== 'command') return prepared;
  return {
    ...prepared,
    start: () => {
      const running = prepared.start();
      return {
        ...running,
        result: running.result.then((result) =>
          result.ending.kind === 'completed' ? { ...result, ending: { kind: 'exited', exitCode } } : result,
        ),
      };
    },
  };
}
