/**
 * etcd's JSON gateway, for the one call that a watchdog makes. etcd serves it on its client port unless it was started with
 * `--enable-grpc-gateway=false`. It takes a user's token in the `Authorization` header. It does not know users by the
 * common name of their certificate: etcd refuses a request without a token then.
 */
import type { RequestOptions } from 'node:https';
import { messageOf } from '../../errors.js';
import type { GatewayConnection } from './messages.js';

export type GatewayAnswer =
  | { readonly kind: 'done' }
  /** No answer, or one that says "not now". */
  | { readonly kind: 'unavailable'; readonly problem: string }
  /** It will be the same next time. */
  | { readonly kind: 'refused'; readonly problem: string };

interface Reply {
  readonly status: number;
  /** null: not etcd's JSON. */
  readonly body: { readonly token?: unknown; readonly code?: unknown; readonly error?: unknown } | null;
}

/** gRPC's status codes, which the gateway's errors carry. */
const NOT_FOUND = 5;
const TRANSIENT_CODES = [1, 4, 8, 10, 13, 14];
const MAX_REPLY_BYTES = 64 * 1024;

/** A lease that is gone already counts as revoked. Never rejects. */
export function revokeLease(
  connection: GatewayConnection,
  endpoint: string,
  leaseId: string,
  signal: AbortSignal,
): Promise<GatewayAnswer> {
  return askAboutLease('/v3/lease/revoke', connection, endpoint, leaseId, signal);
}

/** Whether `revokeLease` would get through: asks for the lease's time to live in the same way. Never rejects. */
export function tryGateway(
  connection: GatewayConnection,
  endpoint: string,
  leaseId: string,
  signal: AbortSignal,
): Promise<GatewayAnswer> {
  return askAboutLease('/v3/lease/timetolive', connection, endpoint, leaseId, signal);
}

async function askAboutLease(
  path: string,
  connection: GatewayConnection,
  endpoint: string,
  leaseId: string,
  signal: AbortSignal,
): Promise<GatewayAnswer> {
  const post = (to: string, body: object, token?: string): Promise<Reply> =>
    request(connection, endpoint, to, JSON.stringify(body), token, signal);
  try {
    let token: string | undefined;
    if (connection.credentials !== null) {
      const { user, password } = connection.credentials;
      const reply = await post('/v3/auth/authenticate', { name: user, password });
      if (typeof reply.body?.token === 'string') token = reply.body.token;
      // Credentials for an etcd that asks for none are no error.
      else if (!errorOf(reply).includes('authentication is not enabled')) return judge(reply);
    }
    return judge(await post(path, { ID: leaseId }, token));
  } catch (error) {
    return { kind: 'unavailable', problem: messageOf(error) };
  }
}

function judge(reply: Reply): GatewayAnswer {
  const { status, body } = reply;
  if (status === 200 && body !== null) return { kind: 'done' };
  if (body === null) {
    return status >= 500
      ? { kind: 'unavailable', problem: `HTTP ${status}` }
      : { kind: 'refused', problem: `etcd's JSON gateway does not answer there (HTTP ${status})` };
  }
  if (body.code === NOT_FOUND) return { kind: 'done' };
  const transient = typeof body.code === 'number' ? TRANSIENT_CODES.includes(body.code) : status >= 500;
  return { kind: transient ? 'unavailable' : 'refused', problem: errorOf(reply) };
}

function errorOf({ status, body }: Reply): string {
  return typeof body?.error === 'string' ? body.error : `HTTP ${status}`;
}

/** Rejects when no whole answer came. */
async function request(
  { tls }: GatewayConnection,
  endpoint: string,
  path: string,
  body: string,
  token: string | undefined,
  signal: AbortSignal,
): Promise<Reply> {
  const options: RequestOptions = {
    method: 'POST',
    agent: false,
    signal,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      ...(token === undefined ? {} : { authorization: token }),
    },
    ...(tls?.ca ? { ca: tls.ca } : {}),
    ...(tls?.cert ? { cert: tls.cert } : {}),
    ...(tls?.key ? { key: tls.key } : {}),
  };
  // Loaded when needed: it is most of the memory that a watchdog could take.
  const client = tls === null ? await import('node:http') : await import('node:https');
  const url = new URL(path, `${tls === null ? 'http' : 'https'}://${endpoint}`);
  return new Promise((resolve, reject) => {
    const call = client.request(url, options, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_REPLY_BYTES) response.destroy(new Error('the answer is too long'));
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parseObject(text) }));
    });
    call.on('error', reject);
    call.end(body);
  });
}

function parseObject(text: string): Reply['body'] {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}
