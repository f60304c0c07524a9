/**
 * Revokes a lease with nothing but Node: the client library would cost the watchdog several times its memory, all the
 * time, for one call that it may make once. etcd's API is gRPC, that is, HTTP/2 with a length before each message, and
 * the messages here have one or two fields. etcd's JSON gateway would be as small, but it can be switched off, and
 * refuses every client whose certificate has a common name.
 */
import type { ClientHttp2Session, IncomingHttpHeaders } from 'node:http2';
import { messageOf } from '../../../errors.js';
import type { EtcdConnection } from '../messages.js';

export type RevokeAnswer =
  /** Or it was gone already. */
  | { readonly kind: 'revoked' }
  /** No answer, or one that says "not now". */
  | { readonly kind: 'unavailable'; readonly problem: string }
  /** It will be the same next time. */
  | { readonly kind: 'refused'; readonly problem: string };

interface Reply {
  /** gRPC's status code. */
  readonly code: number;
  readonly problem: string;
  readonly message: Buffer;
}

const OK = 0;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;
/** cancelled, deadline exceeded, resource exhausted, aborted, internal, unavailable */
const TRANSIENT_CODES = [1, 4, 8, 10, 13, 14];
const FRAME_HEADER_BYTES = 5;

/** Never rejects. `signal` breaks it off. */
export async function revokeLease(
  connection: EtcdConnection,
  endpoint: string,
  leaseId: string,
  signal: AbortSignal,
): Promise<RevokeAnswer> {
  try {
    const session = await connect(connection, endpoint, signal);
    const breakOff = (): void => session.destroy();
    signal.addEventListener('abort', breakOff, { once: true });
    try {
      let token: string | undefined;
      if (connection.credentials !== null) {
        const { user, password } = connection.credentials;
        const request = Buffer.concat([encodeText(1, user), encodeText(2, password)]);
        const reply = await call(session, '/etcdserverpb.Auth/Authenticate', request);
        if (reply.code === OK) token = decodeText(reply.message, 2);
        // Credentials for an etcd that asks for none are no error.
        else if (reply.code !== FAILED_PRECONDITION) return judge(reply);
      }
      return judge(await call(session, '/etcdserverpb.Lease/LeaseRevoke', encodeNumber(1, leaseId), token));
    } finally {
      signal.removeEventListener('abort', breakOff);
      session.destroy();
    }
  } catch (error) {
    return { kind: 'unavailable', problem: messageOf(signal.aborted ? signal.reason : error) };
  }
}

function judge({ code, problem }: Reply): RevokeAnswer {
  if (code === OK || code === NOT_FOUND) return { kind: 'revoked' };
  return { kind: TRANSIENT_CODES.includes(code) ? 'unavailable' : 'refused', problem };
}

async function connect(
  { tls }: EtcdConnection,
  endpoint: string,
  signal: AbortSignal,
): Promise<ClientHttp2Session> {
  // Loaded when needed: most watchdogs never need it.
  const http2 = await import('node:http2');
  signal.throwIfAborted();
  const session = http2.connect(`${tls === null ? 'http' : 'https'}://${endpoint}`, {
    ...(tls?.ca ? { ca: tls.ca } : {}),
    ...(tls?.cert ? { cert: tls.cert } : {}),
    ...(tls?.key ? { key: tls.key } : {}),
  });
  const breakOff = (): void => session.destroy(new Error('no answer in time'));
  signal.addEventListener('abort', breakOff, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      session.once('connect', () => resolve());
      session.on('error', reject);
      session.once('close', () => reject(new Error('the connection was closed')));
    });
  } finally {
    signal.removeEventListener('abort', breakOff);
  }
  return session;
}

/** One request, one reply. Rejects when the connection breaks before. */
function call(session: ClientHttp2Session, path: string, message: Buffer, token?: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ...{ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' },
      ...(token === undefined ? {} : { token }),
    });
    const chunks: Buffer[] = [];
    let status: IncomingHttpHeaders = {};
    const noteStatus = (headers: IncomingHttpHeaders): void => {
      if (headers['grpc-status'] !== undefined) status = headers;
    };
    stream.on('response', noteStatus);
    stream.on('trailers', noteStatus);
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', reject);
    stream.on('close', () => {
      const code = Number(status['grpc-status']);
      if (Number.isNaN(code)) return reject(new Error('what answers there is no etcd, or broke off'));
      const problem = decodeURIComponent(String(status['grpc-message'] ?? `gRPC status ${code}`));
      resolve({ code, problem, message: Buffer.concat(chunks).subarray(FRAME_HEADER_BYTES) });
    });
    const header = Buffer.alloc(FRAME_HEADER_BYTES);
    header.writeUInt32BE(message.length, 1);
    stream.end(Buffer.concat([header, message]));
  });
}

// Protocol buffers, as far as these messages need them: fields are numbers (varints) or texts.

function encodeNumber(field: number, decimal: string): Buffer {
  return Buffer.from([...varint(BigInt(field) << 3n), ...varint(BigInt.asUintN(64, BigInt(decimal)))]);
}

function encodeText(field: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([
    Buffer.from([...varint((BigInt(field) << 3n) | 2n), ...varint(BigInt(bytes.length))]),
    bytes,
  ]);
}

function* varint(value: bigint): Generator<number> {
  for (; value > 127n; value >>= 7n) yield Number(value & 127n) | 128;
  yield Number(value);
}

/** Undefined when the message has no such text. */
function decodeText(message: Buffer, field: number): string | undefined {
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; at < message.length; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) break;
    }
    return value;
  };
  while (at < message.length) {
    const tag = next();
    const value = next();
    if ((tag & 7) !== 2) continue;
    if (tag >> 3 === field) return message.toString('utf8', at, at + value);
    at += value;
  }
  return undefined;
}
