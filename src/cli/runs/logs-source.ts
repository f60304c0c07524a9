import { readFileSync } from 'node:fs';
import { findOutput, type OutputAccess } from '../../api/output/find-output.js';
import { fromLine } from '../../api/output/entry-lines.js';
import { HopSecret } from '../../api/output/hop-secret.js';
import { linesOf } from '../../api/output/remote-source.js';
import { EtcronError, messageOf } from '../../errors.js';
import { duePart, formatRunId, type FiringId } from '../../etcd/keys.js';
import type { Store } from '../../etcd/store.js';
import type { OutputEntry, StreamChoice } from '../../run/output/read-attempt.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';

export interface LogRequest {
  /** Null: the last one. */
  readonly attempt: number | null;
  readonly stream: StreamChoice;
  readonly offset: number;
  readonly follow: boolean;
}

/** Where the command line reads output from. */
export interface LogSource {
  /** Rejects as `findOutput` does. */
  read(request: LogRequest, signal: AbortSignal): Promise<AsyncGenerator<OutputEntry>>;
}

/** On etcd: the worker that has it, asked as its fellow workers ask it. With `--server`: that server, which asks on. */
export function sourceOf(
  { clock, environment, options }: CliContext,
  cluster: Cluster,
  id: FiringId,
): LogSource {
  const { store } = cluster;
  if (isBehindServer(store)) return serverSource(store, id);
  const caFile = options.ca ?? environment.env.ETCRON_CA;
  const ca = typeof caFile === 'string' && caFile !== '' ? readCa(caFile) : undefined;
  const hop = { secret: new HopSecret(cluster, clock), clock, ca };
  const access: OutputAccess = { cluster, clock, hop, own: null };
  const runId = formatRunId(id);
  return {
    read: async (request, signal) => {
      const { attempt, source, isRunning } = await findOutput(access, id, request.attempt, signal);
      const follow = request.follow && isRunning;
      const { stream, offset } = request;
      return source.read({ runId, attempt, stream, offset, limit: null, follow }, signal);
    },
  };
}

function readCa(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new EtcronError('ETCRON_FILE_UNREADABLE', `${path}: ${messageOf(error)}`, {
      hint: 'It is what --ca (ETCRON_CA) names.',
      cause: error,
    });
  }
}

/** A store behind the API of a worker, whose other routes can be asked, too. */
interface ServerStore extends Store {
  /** `path`: below `/api/v1`. */
  open(path: string, signal: AbortSignal): Promise<AsyncIterable<Buffer> & { destroy(): void }>;
}

function isBehindServer(store: Store): store is ServerStore {
  return 'open' in store;
}

function serverSource(store: ServerStore, id: FiringId): LogSource {
  return {
    read: async ({ attempt, stream, offset, follow }, signal) => {
      const query = new URLSearchParams({ format: 'lines', stream, offset: String(offset) });
      if (attempt !== null) query.set('attempt', String(attempt));
      if (follow) query.set('follow', '1');
      const path = `/runs/${id.job}/${encodeURIComponent(duePart(id))}/output?${query.toString()}`;
      return entriesOf(await store.open(path, signal), signal);
    },
  };
}

async function* entriesOf(
  answer: AsyncIterable<Buffer> & { destroy(): void },
  signal: AbortSignal,
): AsyncGenerator<OutputEntry> {
  try {
    for await (const line of linesOf(answer)) if (line !== '') yield fromLine(line);
  } catch (error) {
    signal.throwIfAborted();
    throw new EtcronError('ETCRON_SERVER_UNREACHABLE', `the output broke off: ${messageOf(error)}`, {
      hint: 'Ask again.',
      cause: error,
    });
  } finally {
    answer.destroy();
  }
}
