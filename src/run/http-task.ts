/**
 * Sends a request and judges the answer by its status.
 *
 * - What is kept is what one would look for: the status and some headers as stderr, the end of the body as stdout.
 * - Nothing but the job's `timeout` bounds how long an answer may take, as with a command.
 * - GET and HEAD follow up to five redirects to the same host (from http to https, too). Any other redirect is the answer: a
 *   request that changes something is not sent twice, and headers, which may hold secrets, go to no other host.
 * - The receiver learns which run it is, so that it can see that a request is a repetition.
 */
import { randomUUID } from 'node:crypto';
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { messageOf } from '../errors.js';
import type { HttpTask } from '../jobs/index.js';
import { forbiddenUrl } from '../jobs/policy/judge.js';
import type { Policy } from '../jobs/policy/policy.js';
import { againstPolicy } from './against-policy.js';
import { explainHttpFailure } from './http-failure.js';
import { prepareStartFailure, startInProcess, type Work, type WorkEnding } from './in-process-task.js';
import { Mask } from './mask.js';
import { asIs, inUrl, TemplateRenderer } from './render-template.js';
import type { PreparedTask, RunContext, RunRequest } from './running-task.js';
import { readSecrets } from './secrets.js';

const MAX_REDIRECTS = 5;
/** Of the answer's headers, those that help to understand it. */
const TOLD_HEADERS = [
  'content-type',
  'content-length',
  'date',
  'location',
  'retry-after',
  'server',
  'x-request-id',
];
/** A header of this length still fits beside the others. */
const MAX_TOLD_LENGTH = 1024;

/** A request with everything filled in. */
interface Message {
  readonly method: string;
  readonly url: URL;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer | null;
  /** Not a secret itself, but as good as one. */
  readonly login: string | null;
}

/** `policy`: what the worker may do; a template can make another host of a URL. */
export function prepareHttp(
  task: HttpTask,
  request: RunRequest,
  context: RunContext,
  policy?: Policy,
): PreparedTask {
  const marker = randomUUID();
  return {
    marker,
    hasProcesses: false,
    start() {
      const secrets = readSecrets(request.secrets);
      if (!secrets.ok) return prepareStartFailure(context, secrets.failure).start();
      const message = tryMessage(task, request, secrets.values);
      if ('problem' in message) return prepareStartFailure(context, { message: message.problem }).start();
      const what = policy && forbiddenUrl(policy, message.url);
      if (typeof what === 'string') return prepareStartFailure(context, againstPolicy(what)).start();
      const mask = new Mask([...Object.values(secrets.values), message.login ?? '']);
      const work = (work: Work): Promise<WorkEnding> => perform(message, task.expectStatus, work);
      return startInProcess(marker, request, context, work, undefined, mask);
    },
  };
}

type MessageOrProblem = Message | { readonly problem: string };

/** A defect in how one job is read is the matter of that job, not of the worker. */
function tryMessage(...args: Parameters<typeof makeMessage>): MessageOrProblem {
  try {
    return makeMessage(...args);
  } catch (error) {
    return { problem: `it cannot be prepared: ${messageOf(error)}` };
  }
}

function makeMessage(
  task: HttpTask,
  request: RunRequest,
  secrets: Readonly<Record<string, string>>,
): MessageOrProblem {
  const templates = new TemplateRenderer(request, secrets);
  const text = templates.render(task.url, inUrl);
  if (!URL.canParse(text)) return { problem: 'its URL is none once the templates are filled in' };
  const url = new URL(text);
  const body = task.body === null ? null : Buffer.from(templates.render(task.body, asIs));
  const { identity } = request;
  const headers: Record<string, string> = {
    'User-Agent': 'etcron',
    Accept: '*/*',
    'Accept-Encoding': 'identity',
    'Idempotency-Key': identity.runId,
  };
  const login = takeLogin(url);
  if (login !== null) headers.Authorization = `Basic ${login}`;
  for (const [name, value] of Object.entries(task.headers)) {
    const filled = templates.render(value, asIs);
    // What a header may hold, by RFC 9110; the value itself may be a secret.
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(filled)) {
      return {
        problem: `the header ${name} holds a line break or another character that no header can have`,
      };
    }
    const written = Object.keys(headers).find((one) => one.toLowerCase() === name.toLowerCase());
    headers[written ?? name] = filled;
  }
  headers['Etcron-Job'] = identity.job;
  headers['Etcron-Due'] = identity.dueIso;
  headers['Etcron-Run-Id'] = identity.runId;
  headers['Etcron-Attempt'] = String(identity.attempt);
  headers['Etcron-Fencing-Token'] = identity.fencingToken;
  if (identity.everywhere) {
    headers['Etcron-Index'] = String(identity.everywhere.index);
    headers['Etcron-Count'] = String(identity.everywhere.count);
  }
  if (identity.rerunOf) headers['Etcron-Rerun-Of'] = identity.rerunOf;
  const takesBody = !['GET', 'HEAD'].includes(task.method);
  if (body !== null || takesBody) headers['Content-Length'] = String(body?.length ?? 0);
  return { method: task.method, url, headers, body, login };
}

/** User and password of a URL, as a header has them; they are taken out of the URL. */
function takeLogin(url: URL): string | null {
  if (url.username === '' && url.password === '') return null;
  const written = [url.username, url.password].map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
  url.username = url.password = '';
  return Buffer.from(written.join(':')).toString('base64');
}

async function perform(
  first: Message,
  expectStatus: readonly string[],
  { signal, stdout, stderr, took }: Work,
): Promise<WorkEnding> {
  let message = first;
  for (let redirects = 0; ; redirects++) {
    try {
      const response = await send(message, signal);
      const status = response.statusCode ?? 0;
      const isExpected = expectStatus.some(
        (one) => one === String(status) || one === `${String(status)[0]}xx`,
      );
      const target = isExpected ? null : redirectTarget(response, message.url);
      if (target !== null && redirects < MAX_REDIRECTS && mayFollow(message, target)) {
        stderr.write(Buffer.from(headOf(response, ['location'])));
        response.destroy();
        message = { ...message, url: target };
        continue;
      }
      stderr.write(Buffer.from(headOf(response, TOLD_HEADERS)));
      for await (const chunk of response as AsyncIterable<Buffer>) {
        stdout.write(chunk);
        await took(chunk.length);
      }
      return isExpected
        ? { kind: 'completed' }
        : { kind: 'failed', reason: reasonOf(status, target, message, redirects) };
    } catch (error) {
      return { kind: 'failed', reason: explainHttpFailure(error, message.url) };
    }
  }
}

/** Resolves with the head of the answer. */
function send({ method, url, headers, body }: Message, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
    // A connection of its own: one that was kept open may be closed by the server in the moment it is used again.
    const request = start(url, { method, headers, signal, agent: false });
    request.once('response', resolve);
    request.on('error', reject);
    request.end(body ?? undefined);
  });
}

function redirectTarget({ statusCode = 0, headers }: IncomingMessage, from: URL): URL | null {
  if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined) return null;
  return URL.canParse(headers.location, from.href) ? new URL(headers.location, from) : null;
}

function mayFollow({ method, url }: Message, target: URL): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const isUpgrade =
    url.protocol === 'http:' && target.protocol === 'https:' && url.hostname === target.hostname;
  return target.origin === url.origin || isUpgrade;
}

function reasonOf(status: number, target: URL | null, { method, url }: Message, redirects: number): string {
  if (target === null) return `HTTP ${status}`;
  const why =
    redirects >= MAX_REDIRECTS
      ? `more than ${MAX_REDIRECTS} redirects`
      : method === 'GET' || method === 'HEAD'
        ? 'another host'
        : `a ${method} is not sent twice`;
  const place = target.host === url.host ? target.pathname : target.origin;
  return `HTTP ${status}: the redirect to ${place} is not followed (${why})`;
}

function headOf(response: IncomingMessage, names: readonly string[]): string {
  const { httpVersion, statusCode, statusMessage = '', headers } = response;
  const lines = names.flatMap((name) => {
    const value = headers[name];
    return value === undefined ? [] : [`${name}: ${String(value).slice(0, MAX_TOLD_LENGTH)}`];
  });
  return [`HTTP/${httpVersion} ${statusCode} ${statusMessage}`.trim(), ...lines, ''].join('\n');
}
