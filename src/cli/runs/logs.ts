/** `etcron logs`: the whole output of an attempt, from whichever worker has it; else the end that its record keeps. */
import { sleep } from '../../clock.js';
import { EtcronError, type ErrorCode } from '../../errors.js';
import { formatRunId, type FiringId } from '../../etcd/keys.js';
import { getRun } from '../../history/history.js';
import { runIdOf } from '../../operations/find-run.js';
import type { OutputEntry, StreamChoice } from '../../run/output/read-attempt.js';
import { formatSize } from '../../size.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';
import { lastLines } from './logs-last-lines.js';
import { LogPrinter } from './logs-printer.js';
import { sourceOf, type LogRequest, type LogSource } from './logs-source.js';
import { printOutput } from './output-text.js';

export interface LogsOptions {
  readonly follow?: boolean;
  readonly attempt?: number;
  readonly stream: StreamChoice;
  /** Lines. */
  readonly tail?: number;
  readonly timestamps?: boolean;
}

/** How often a run that has not begun is looked at. */
const BEGUN_POLL_MS = 500;

/** With these the whole output cannot be had, and its end may. */
const IMPOSSIBLE: readonly ErrorCode[] = [
  'ETCRON_OUTPUT_GONE',
  'ETCRON_WORKER_UNREACHABLE',
  // Only workers may read the secret by which they know each other.
  'ETCRON_ETCD_AUTH',
];

/** Resolves when all of it is shown, with `follow` when the attempt is over or somebody interrupts. */
export async function showLogs(context: CliContext, text: string, options: LogsOptions): Promise<void> {
  const id = runIdOf(text);
  const interrupted = new AbortController();
  const unlisten = context.environment.onInterrupt?.(() => interrupted.abort(new Error('interrupted')));
  try {
    await context.withStore(async (cluster) => {
      const source = sourceOf(context, cluster, id);
      try {
        await print(context, source, options, interrupted.signal);
      } catch (error) {
        if (interrupted.signal.aborted) return;
        await printKept(context, cluster, id, options, error);
      }
    });
  } finally {
    unlisten?.();
  }
}

async function print(
  context: CliContext,
  source: LogSource,
  { follow = false, attempt, stream, tail, timestamps = false }: LogsOptions,
  signal: AbortSignal,
): Promise<void> {
  const printer = new LogPrinter(context, timestamps);
  const request: LogRequest = { attempt: attempt ?? null, stream, offset: 0, follow };
  const show = async (entries: AsyncGenerator<OutputEntry>): Promise<void> => {
    for await (const entry of entries) printer.take(entry);
  };
  try {
    if (tail === undefined) return await show(await begun(context, source, request, signal));
    const past = await begun(context, source, { ...request, follow: false }, signal);
    const end = await lastLines(past, tail, (entry) => printer.take(entry));
    if (follow && !end.complete) await show(await source.read({ ...request, offset: end.offset }, signal));
  } finally {
    printer.end();
  }
}

/** With `follow` a run that has not begun is waited for. */
async function begun(
  { clock }: CliContext,
  source: LogSource,
  request: LogRequest,
  signal: AbortSignal,
): Promise<AsyncGenerator<OutputEntry>> {
  for (;;) {
    try {
      return await source.read(request, signal);
    } catch (error) {
      const waits = error instanceof EtcronError && error.details.begun === false && request.follow;
      if (!waits) throw error;
      await sleep(clock, BEGUN_POLL_MS, signal);
    }
  }
}

/** What the record keeps, where the whole cannot be had. */
async function printKept(
  context: CliContext,
  { store, keys }: Cluster,
  id: FiringId,
  { attempt, stream }: LogsOptions,
  error: unknown,
): Promise<void> {
  const isGone =
    error instanceof EtcronError && error.details.brokeOff !== true && IMPOSSIBLE.includes(error.code);
  const record = isGone ? (await getRun(store, keys, id))?.record : null;
  const isLast = attempt === undefined || attempt === record?.attempts;
  if (!record || !isLast || (!record.stdout && !record.stderr)) throw error;
  const kept = {
    ...record,
    stdout: stream === 'stderr' ? null : record.stdout,
    stderr: stream === 'stdout' ? null : record.stderr,
  };
  if (context.json) context.out.json({ run: formatRunId(id), stdout: kept.stdout, stderr: kept.stderr });
  else printOutput(context, kept);
  const { message } = error as EtcronError;
  const bytes = (record.stdout?.totalBytes ?? 0) + (record.stderr?.totalBytes ?? 0);
  const isCut = kept.stdout?.truncated === true || kept.stderr?.truncated === true;
  context.out.warn(
    `${message}; this is ${isCut ? `the end, of ${formatSize(bytes)} in all` : 'what'} its record keeps`,
  );
  if ((error as EtcronError).code === 'ETCRON_ETCD_AUTH')
    context.out.note('With --server and a token of the API all of it can be had.');
  context.exitCode = isCut ? 1 : 0;
}
