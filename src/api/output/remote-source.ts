/** The output that another worker has: one signed request to its API, and its answer as it comes. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { EtcronError, messageOf } from '../../errors.js';
import { parseRunId, duePart } from '../../etcd/keys.js';
import { printable } from '../../jobs/printable.js';
import type { OutputEntry } from '../../run/output/read-attempt.js';
import { keptOutput, type KeptOutput } from '../schemas/output.js';
import { fromLine } from './entry-lines.js';
import type { HopSecret } from './hop-secret.js';
import { HOP_HEADER, signHop } from './hop-signature.js';
import type { OutputSource, ReadRequest } from './output-source.js';

/** Where nodes ask each other. Below it: `/<job>/<due>`, and `/<job>/<due>/attempts`. */
export const HOP_PATH = '/internal/v1/output';

export interface HopOptions {
  readonly secret: HopSecret;
  readonly clock: Clock;
  /** By which the certificates of other workers are verified, PEM; the system's authorities by default. */
  readonly ca?: Buffer | string | string[] | undefined;
  /** What this worker shows to those that ask for a certificate: its own, PEM. */
  readonly identity?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

/** A worker that does not begin to answer for so long does not answer. */
const ANSWER_LIMIT_MS = 5_000;
/** Three of its heartbeats. */
const SILENCE_LIMIT_MS = 30_000;
const MAX_LIST_BYTES = 2 ** 20;
const MAX_PROBLEM_BYTES = 2 ** 16;

export class RemoteSource implements OutputSource {
  readonly worker: string;
  readonly #api: string;
  readonly #options: HopOptions;

  /** `api`: its address, as its record in etcd has it. */
  constructor(worker: string, api: string, options: HopOptions) {
    this.worker = worker;
    this.#api = api;
    this.#options = options;
  }

  async list(runId: string, signal: AbortSignal): Promise<KeptOutput[]> {
    const response = await this.#ask(`${hopPath(runId)}/attempts`, signal);
    try {
      return z.array(keptOutput).parse(JSON.parse(await textOf(response, MAX_LIST_BYTES)));
    } catch (error) {
      signal.throwIfAborted();
      throw this.#unreachable(error);
    }
  }

  async *read(request: ReadRequest, signal: AbortSignal): AsyncGenerator<OutputEntry> {
    const { runId, attempt, stream, offset, limit, follow } = request;
    const query = new URLSearchParams({ attempt: String(attempt), stream, offset: String(offset) });
    if (limit !== null) query.set('limit', String(limit));
    if (follow) query.set('follow', '1');
    const response = await this.#ask(`${hopPath(runId)}?${query.toString()}`, signal);
    response.setTimeout(SILENCE_LIMIT_MS, () => response.destroy(new Error('it has fallen silent')));
    try {
      for await (const line of linesOf(response)) if (line !== '') yield fromLine(line);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#brokeOff(error);
    } finally {
      response.destroy();
    }
  }

  async #ask(target: string, signal: AbortSignal): Promise<IncomingMessage> {
    const { secret } = this.#options;
    let response = await this.#signed(target, await secret.get(), signal);
    if (response.statusCode === 401) {
      const problem = await problemIn(response);
      // Somebody may have removed it, to have another: whoever asks knows that no sooner than whoever is asked.
      const another = await secret.again();
      if (another === null) throw this.#refused(problem);
      response = await this.#signed(target, another, signal);
    }
    if (response.statusCode === 200) return response;
    const problem = await problemIn(response);
    throw response.statusCode === 401 ? this.#refused(problem) : this.#unreachable(new Error(problem));
  }

  async #signed(target: string, secret: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
    const header = signHop(secret, { target, worker: this.worker }, this.#options.clock.now());
    try {
      return await this.#send(target, header, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw this.#unreachable(error);
    }
  }

  #send(target: string, header: string, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const url = new URL(target, this.#api);
      const { clock, ca, identity } = this.#options;
      const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const shown = identity && { cert: identity.cert, key: identity.key };
      const trust = { ...(ca === undefined ? {} : { ca }), ...shown };
      const request = start(url, { headers: { [HOP_HEADER]: header }, agent: false, signal, ...trust });
      const timer = clock.setTimer(ANSWER_LIMIT_MS, () =>
        request.destroy(new Error('it does not answer in time')),
      );
      request.once('response', (response) => {
        timer.cancel();
        resolve(response);
      });
      request.on('error', (error) => {
        timer.cancel();
        reject(error);
      });
      request.end();
    });
  }

  #brokeOff(cause: unknown): EtcronError {
    return new EtcronError(
      'ETCRON_WORKER_UNREACHABLE',
      `the worker ${this.worker} went away while its output was read: ${messageOf(cause)}`,
      {
        hint: 'What it has written is there again when a worker of this name runs on that machine.',
        details: { worker: this.worker, api: this.#api, brokeOff: true },
        cause,
      },
    );
  }

  #refused(problem: string): EtcronError {
    return new EtcronError(
      'ETCRON_WORKER_UNREACHABLE',
      `the worker ${this.worker}, which has the output, does not take this node for one of its cluster: ${problem}`,
      {
        hint: `Compare the clocks of both machines, and see whether ${this.#api} belongs to the same etcd and prefix.`,
        details: { worker: this.worker, api: this.#api },
      },
    );
  }

  #unreachable(cause: unknown): EtcronError {
    return new EtcronError(
      'ETCRON_WORKER_UNREACHABLE',
      `the worker ${this.worker}, which has the output, cannot be asked for it: ${messageOf(cause)}`,
      {
        hint: `Is ${this.#api} the right address of its API for other nodes? The worker setting "advertise" says it.`,
        details: { worker: this.worker, api: this.#api },
        cause,
      },
    );
  }
}

/** What an answer holds. Rejects where that is too much, or does not come. */
async function textOf(response: IncomingMessage, maxBytes: number): Promise<string> {
  response.setTimeout(ANSWER_LIMIT_MS, () => response.destroy(new Error('it does not answer in time')));
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Why it did not answer as it should, in its own words where it has any. */
async function problemIn(response: IncomingMessage): Promise<string> {
  const status = `HTTP ${response.statusCode}`;
  try {
    const { detail } = JSON.parse(await textOf(response, MAX_PROBLEM_BYTES)) as { detail?: unknown };
    return typeof detail === 'string' ? `${status}: ${printable(detail)}` : status;
  } catch {
    return status;
  }
}

function hopPath(runId: string): string {
  const id = parseRunId(runId)!;
  return `${HOP_PATH}/${id.job}/${encodeURIComponent(duePart(id))}`;
}

/** The lines of a stream of bytes, without their ends. */
export async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const pieces: Buffer[] = [];
  for await (const chunk of stream) {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      pieces.push(chunk.subarray(from, end));
      yield Buffer.concat(pieces.splice(0)).toString();
      from = end + 1;
    }
    if (from < chunk.length) pieces.push(chunk.subarray(from));
  }
}
