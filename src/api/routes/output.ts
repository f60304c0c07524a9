/**
 * The whole output of runs, asked of any node: it comes from whichever worker has it. What is sent waits for whoever reads it;
 * when he is gone, so is everything that was opened for him.
 */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { EtcronError, messageOf } from '../../errors.js';
import { runIdOf } from '../../operations/find-run.js';
import { formatRunId } from '../../etcd/keys.js';
import type { OutputEntry } from '../../run/output/read-attempt.js';
import { toLine } from '../output/entry-lines.js';
import { findOutput, listOutputs, type FoundOutput } from '../output/find-output.js';
import { withHeartbeat } from '../output/heartbeat.js';
import type { OutputAccess } from '../output/find-output.js';
import { problemOf } from '../problem.js';
import * as schemas from '../schemas/output.js';
import { runParams } from '../schemas/runs.js';
import type { ApiApp, ApiServices } from '../services.js';
import { whenGone } from '../when-gone.js';
import { answers, answersText, VIEWER } from './answers.js';

const HEARTBEAT_MS = 15_000;
/** Streams of output at once, so that forgotten ones do not pile up. */
const MAX_STREAMS = 200;
const tags = ['runs'];

export const LINES_TYPE = 'application/x-ndjson';

const followDescription = `Server-sent events, until the attempt ends. \`attempt\` comes first and says which one it is; then \`output\`
(a piece, with stream, time and offset), \`gap\` (bytes that are not kept), and \`end\`. A \`problem\` in between is a problem document, and the
last event. The \`id\` says how far it has come: a client that comes back with it as \`Last-Event-ID\` gets what follows, and 204 when nothing does.`;

export function outputRoutes(app: ApiApp, { context }: ApiServices, access: OutputAccess): void {
  const { clock, log } = context;
  let streams = 0;

  /** Aborted when whoever asked is gone. */
  const begin = (reply: FastifyReply): AbortSignal => {
    if (streams >= MAX_STREAMS) {
      throw new EtcronError('ETCRON_RATE_LIMITED', `${MAX_STREAMS} outputs are being read already`, {
        hint: 'Close some, or ask another worker.',
      });
    }
    streams += 1;
    const gone = new AbortController();
    whenGone(reply.raw, () => {
      streams -= 1;
      gone.abort(new Error('whoever asked is gone'));
    });
    return gone.signal;
  };

  const read = (found: FoundOutput, runId: string, options: ReadOptions, signal: AbortSignal) => {
    const { source, attempt, isRunning } = found;
    const { stream, offset, limit = null, follow = false } = options;
    return source.read({ runId, attempt, stream, offset, limit, follow: follow && isRunning }, signal);
  };

  app.get(
    '/runs/:job/:due/output',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'What an attempt has written',
        description:
          'Exactly the bytes that were written, secrets hidden. Of a very long output the middle is not kept: `format=lines` says where, `raw` leaves it out.',
        params: runParams,
        querystring: schemas.outputQuery,
        response: answersText('application/octet-stream', z.string()),
      },
    },
    async (request, reply) => {
      const { format, attempt, ...options } = request.query;
      const id = runIdOf(`${request.params.job}/${request.params.due}`);
      const signal = begin(reply);
      const found = await findOutput(access, id, attempt ?? null, signal);
      const isRaw = format === 'raw';
      const entries = read(found, formatRunId(id), { ...options, follow: options.follow && !isRaw }, signal);
      // Then what is wrong with them can be said properly.
      const ready = options.follow ? entries : await begun(entries);
      void reply.header('etcron-attempt', String(found.attempt)).header('etcron-worker', found.source.worker);
      return reply.type(isRaw ? 'application/octet-stream' : LINES_TYPE).send(
        bytesOf(isRaw ? rawOf(ready) : linesOf(ready), (error) => {
          if (!signal.aborted) log.warn({ err: messageOf(error) }, 'an output could not be read to its end');
        }),
      );
    },
  );

  app.get(
    '/runs/:job/:due/output/attempts',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'The attempts of which a worker has the output',
        params: runParams,
        response: answers(schemas.keptOutputs),
      },
    },
    async (request, reply) => {
      const id = runIdOf(`${request.params.job}/${request.params.due}`);
      return { attempts: await listOutputs(access, id, begin(reply)) };
    },
  );

  app.get(
    '/runs/:job/:due/output/follow',
    {
      config: VIEWER,
      schema: {
        tags,
        summary: 'What an attempt writes, as it writes it',
        description: followDescription,
        params: runParams,
        querystring: schemas.followQuery,
        headers: z.object({ 'last-event-id': z.string().max(60).optional() }),
        response: answersText('text/event-stream', z.string()),
      },
    },
    async (request, reply) => {
      const position = parsePosition(request.headers['last-event-id']);
      if (position?.isEnd) return reply.code(204).send();
      const id = runIdOf(`${request.params.job}/${request.params.due}`);
      const { stream, offset, attempt } = request.query;
      const signal = begin(reply);
      const found = await findOutput(access, id, position?.attempt ?? attempt ?? null, signal);
      const entries = read(
        found,
        formatRunId(id),
        { stream, offset: position?.offset ?? offset, follow: true },
        signal,
      );
      const events = withHeartbeat(eventsOf(found, entries, signal), clock, HEARTBEAT_MS, ': still here\n\n');
      return reply.type('text/event-stream').send(bytesOf(events, () => undefined));
    },
  );
}

interface ReadOptions {
  readonly stream: 'stdout' | 'stderr' | 'both';
  readonly offset: number;
  readonly limit?: number | undefined;
  readonly follow?: boolean;
}

async function begun(entries: AsyncGenerator<OutputEntry>): Promise<AsyncGenerator<OutputEntry>> {
  const first = await entries.next();
  return (async function* () {
    if (first.done) return;
    yield first.value;
    yield* entries;
  })();
}

async function* rawOf(entries: AsyncGenerator<OutputEntry>): AsyncGenerator<Buffer> {
  for await (const entry of entries) if (entry.kind === 'output') yield entry.bytes;
}

/** With `exact`, all bytes as base64. */
export async function* linesOf(entries: AsyncGenerator<OutputEntry>, exact = false): AsyncGenerator<string> {
  for await (const entry of entries) yield `${JSON.stringify(toLine(entry, exact))}\n`;
}

async function* eventsOf(
  { attempt, source, kept, isRunning }: FoundOutput,
  entries: AsyncGenerator<OutputEntry>,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const startedAt = kept?.startedAt ?? null;
  yield `retry: 1000\n${event('attempt', { attempt, worker: source.worker, running: isRunning, startedAt }, null)}`;
  try {
    for await (const entry of entries) {
      const length = entry.kind === 'output' ? entry.bytes.length : entry.kind === 'gap' ? entry.bytes : 0;
      const id = `${attempt}:${entry.offset + length}${entry.kind === 'end' ? ':end' : ''}`;
      yield event(entry.kind, toLine(entry), id);
    }
  } catch (error) {
    if (signal.aborted) return;
    const told =
      error instanceof EtcronError
        ? error
        : new EtcronError('ETCRON_INTERNAL', 'the output could not be read');
    yield event('problem', problemOf(told), null);
  }
}

function event(name: string, data: unknown, id: string | null): string {
  return `${id === null ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

const POSITION = /^(\d{1,7}):(\d{1,16})(:end)?$/;

/** Null for what is none. */
function parsePosition(id: string | undefined): { attempt: number; offset: number; isEnd: boolean } | null {
  const match = POSITION.exec(id ?? '');
  return match && { attempt: Number(match[1]), offset: Number(match[2]), isEnd: match[3] !== undefined };
}

/** For Fastify: read no faster than it is sent; ends its source with whoever reads it. */
export function bytesOf(
  source: AsyncGenerator<string | Buffer>,
  onError: (error: unknown) => void,
): Readable {
  return Readable.from(source, { objectMode: false }).on('error', onError);
}
