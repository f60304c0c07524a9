/** Requests to one etcron server, and what each way in which they fail means to a person. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import { ERROR_CATALOGUE, type ErrorCode } from '../../errors.js';
import { StoreError } from '../../etcd/store-error.js';
import { printable } from '../../jobs/index.js';

export interface ServerAddress {
  /** `http:` or `https:`, with the path below which the API lies, mostly none. */
  readonly url: URL;
  readonly token: string | null;
  /** PEM of the authorities that the server is verified by, instead of those that Node knows. */
  readonly ca: Buffer | null;
  /** What is shown to a server that asks for a certificate, PEM. */
  readonly identity?: { readonly cert: Buffer; readonly key: Buffer } | null;
}

export interface Call {
  readonly method: 'GET' | 'POST';
  /** Below `/api/v1`. */
  readonly path: string;
  readonly body?: unknown;
  readonly deadlineMs: number;
  /** A reply that gets lost leaves it open whether it was done. */
  readonly isWrite?: boolean;
}

const MAX_ANSWER_BYTES = 64 * 2 ** 20;
const NOT_TRUSTED =
  /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|CERT_|ERR_TLS_|HOSTNAME_MISMATCH)/;
const NO_TLS = /^(?:EPROTO|ERR_SSL_)/;
/** Alerts by which a server refuses whoever has no certificate, or none that it trusts. */
const WANTS_CERTIFICATE = /ALERT_(?:\w+_)?CERTIFICATE|ALERT_UNKNOWN_CA|ALERT_HANDSHAKE_FAILURE/;

export class HttpClient {
  readonly #address: ServerAddress;
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(address: ServerAddress) {
    this.#address = address;
    this.#agent =
      address.url.protocol === 'https:'
        ? new HttpsAgent({ keepAlive: true })
        : new HttpAgent({ keepAlive: true });
  }

  /** How the server is named in messages. */
  get name(): string {
    const { url } = this.#address;
    return url.origin + url.pathname.replace(/\/$/, '');
  }

  /** The answer's JSON. Rejects with a `StoreError`. */
  async call(call: Call): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.#callOnce(call);
      } catch (error) {
        // The server may close a connection at rest in the moment in which it is used again.
        const isStale = error instanceof StoreError && error.details.stale === true;
        if (!isStale || call.isWrite || tries > 2) throw error;
      }
    }
  }

  async #callOnce(call: Call): Promise<unknown> {
    const signal = AbortSignal.timeout(call.deadlineMs);
    const answer = await this.open(call, signal);
    return JSON.parse(await this.#text(answer, call, signal)) as unknown;
  }

  /** The answer, as soon as it begins to come, when it is a good one. */
  async open(call: Call, signal: AbortSignal): Promise<IncomingMessage> {
    const { url, token, ca, identity } = this.#address;
    const body = call.body === undefined ? null : JSON.stringify(call.body);
    const options: RequestOptions = {
      method: call.method,
      path: `${url.pathname.replace(/\/$/, '')}/api/v1${call.path}`,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port || (url.protocol === 'https:' ? 443 : 80),
      agent: this.#agent,
      signal,
      headers: {
        Host: url.host,
        Accept: 'application/json',
        ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === null
          ? {}
          : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) }),
      },
      ...(ca === null ? {} : { ca }),
      ...(identity ? { cert: identity.cert, key: identity.key } : {}),
    };
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = send(options, resolve);
      request.on('error', (error: NodeJS.ErrnoException) =>
        reject(this.#unreachable(error, call, request.reusedSocket, signal)),
      );
      request.end(body ?? undefined);
    });
    if (answer.statusCode === 200) return answer;
    throw this.#refusal(answer, await this.#text(answer, call, signal));
  }

  close(): void {
    this.#agent.destroy();
  }

  async #text(answer: IncomingMessage, call: Call, signal: AbortSignal): Promise<string> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of answer) {
        chunks.push(chunk as Buffer);
        bytes += (chunk as Buffer).length;
        if (bytes > MAX_ANSWER_BYTES) throw new Error('the answer is too large');
      }
    } catch (error) {
      throw this.#unreachable(error as NodeJS.ErrnoException, call, false, signal);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  /** The server's own error, where it told one. */
  #refusal({ statusCode = 0, headers }: IncomingMessage, text: string): StoreError {
    const problem = headers['content-type']?.startsWith('application/problem+json') ? parse(text) : null;
    if (problem !== null) return storeErrorOf(problem);
    return new StoreError(
      'ETCRON_SERVER_REFUSED',
      `${this.name} answered ${statusCode}, and not as an etcron server does`,
      {
        hint: 'Is this the address of the API of a worker, or of "etcron serve"? Its log says where it listens.',
        details: { status: statusCode },
        maybeApplied: statusCode >= 500,
        transient: statusCode >= 500,
      },
    );
  }

  #unreachable(
    error: NodeJS.ErrnoException,
    { deadlineMs, isWrite = false }: Call,
    isReused: boolean,
    signal: AbortSignal,
  ): StoreError {
    const cause = (error.cause as NodeJS.ErrnoException | undefined)?.code ?? error.code ?? '';
    const isShown = Boolean(this.#address.identity);
    const base = { maybeApplied: isWrite, transient: true, details: { server: this.name }, cause: error };
    if (signal.aborted) {
      const message = `${this.name} did not answer within ${deadlineMs} ms`;
      return new StoreError('ETCRON_SERVER_UNREACHABLE', message, base);
    }
    if (NOT_TRUSTED.test(cause)) {
      return new StoreError(
        'ETCRON_SERVER_TLS',
        `the certificate of ${this.name} is not trusted: ${printable(error.message)}`,
        {
          ...base,
          hint: 'Pass the certificate of the authority that signed it: --ca FILE.',
          maybeApplied: false,
          transient: false,
        },
      );
    }
    if (WANTS_CERTIFICATE.test(cause)) {
      const message = isShown
        ? `${this.name} does not accept the client certificate`
        : `${this.name} asks for a client certificate`;
      return new StoreError('ETCRON_SERVER_TLS', message, {
        ...base,
        hint: isShown
          ? 'It must be signed by the authority that the server names with --api-client-ca.'
          : 'Pass one with --server-cert FILE and --server-key FILE.',
        maybeApplied: false,
        transient: false,
      });
    }
    if (NO_TLS.test(cause)) {
      return new StoreError('ETCRON_SERVER_TLS', `${this.name} does not speak TLS as it should`, {
        ...base,
        hint: 'Does it listen with http:// instead of https://?',
        maybeApplied: false,
        transient: false,
      });
    }
    return new StoreError(
      'ETCRON_SERVER_UNREACHABLE',
      `no etcron server answers at ${this.name}: ${reasonOf(cause, error, isShown)}`,
      {
        ...base,
        hint: 'Check the address (--server), and that a worker with an API, or "etcron serve", runs there.',
        maybeApplied: isWrite && cause !== 'ECONNREFUSED' && cause !== 'ENOTFOUND',
        details: { server: this.name, stale: isReused && cause === 'ECONNRESET' },
      },
    );
  }
}

function reasonOf(code: string, { message }: Error, hasIdentity: boolean): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'nothing listens there';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name is not known';
    case 'ECONNRESET':
      // What some servers do instead of refusing a certificate.
      return hasIdentity
        ? 'it closed the connection (does it trust the client certificate?)'
        : 'it closed the connection (is it https://?)';
    default:
      return printable(message);
  }
}

interface Problem {
  readonly code: ErrorCode;
  readonly detail: string;
  readonly hint: string | null;
  readonly details: Readonly<Record<string, unknown>>;
}

function parse(text: string): Problem | null {
  try {
    const { code, detail, hint, details } = JSON.parse(text) as Partial<Record<keyof Problem, unknown>>;
    if (typeof code !== 'string' || !Object.hasOwn(ERROR_CATALOGUE, code) || typeof detail !== 'string')
      return null;
    return {
      code: code as ErrorCode,
      detail,
      hint: typeof hint === 'string' ? hint : null,
      details: typeof details === 'object' && details !== null ? (details as Record<string, unknown>) : {},
    };
  } catch {
    return null;
  }
}

const MAY_PASS: readonly ErrorCode[] = ['ETCRON_RATE_LIMITED', 'ETCRON_AUTH_LIMITED'];

/** What a server told in a problem document. */
export function storeErrorOf(problem: unknown): StoreError {
  const known = parse(JSON.stringify(problem));
  if (known === null) {
    return new StoreError('ETCRON_SERVER_REFUSED', 'the server told an error that is not understood', {
      maybeApplied: true,
      transient: false,
    });
  }
  const { code, detail, hint } = known;
  const { store, ...details } = known.details;
  const flags = (store ?? {}) as { maybeApplied?: unknown; transient?: unknown };
  return new StoreError(code, detail, {
    ...(hint === null ? {} : { hint }),
    details,
    maybeApplied: flags.maybeApplied === true || code === 'ETCRON_INTERNAL',
    transient: flags.transient === true || MAY_PASS.includes(code),
  });
}
