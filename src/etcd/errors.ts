/**
 * What a failed call to etcd means. gRPC gives a status and a text; the caller needs to know four other things: whether
 * a write may have happened, whether trying again makes sense, whether another endpoint would do better, and what to
 * tell the user.
 *
 * "Surely not applied" is claimed only where the request cannot have reached a state machine: no connection was made,
 * or etcd's front end refused the request before proposing it. Everything else that broke on the way (a lost
 * connection, a deadline, etcd's own "request timed out" and "leader changed") may have been applied.
 */
import { status } from '@grpc/grpc-js';
import { messageOf, type ErrorCode } from '../errors.js';
import { StoreError } from './store-error.js';

export interface Failure {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly hint?: string;
  readonly details?: Record<string, unknown>;
  /** The request did certainly not change anything. */
  readonly notApplied: boolean;
  readonly transient: boolean;
  /** It lies with the endpoint, so another one may do better. */
  readonly elsewhere: boolean;
  /** The token is not accepted (any more): authenticate again and repeat. */
  readonly reauthenticate?: boolean;
}

const AUTH_HINT =
  'Check user and password, and with `etcdctl user get` that a role of the user covers the key prefix.';

const refused: Omit<Failure, 'reason'> = {
  code: 'ETCRON_ETCD_REFUSED',
  notApplied: true,
  transient: false,
  elsewhere: false,
};
const unavailable: Omit<Failure, 'reason'> = {
  code: 'ETCRON_ETCD_UNREACHABLE',
  notApplied: false,
  transient: true,
  elsewhere: true,
};
const timedOut: Omit<Failure, 'reason'> = { ...unavailable, code: 'ETCRON_ETCD_TIMEOUT' };
const unauthorized: Omit<Failure, 'reason'> = { ...refused, code: 'ETCRON_ETCD_AUTH', hint: AUTH_HINT };

/** By etcd's own texts, the first that is contained in the message. Statuses alone are too coarse. */
const BY_TEXT: readonly (readonly [string, Omit<Failure, 'reason'>])[] = [
  ['required revision has been compacted', { ...refused, details: { compacted: true } }],
  ['Received message larger than max', { ...refused, notApplied: false, details: { tooLarge: true } }],
  ['requested lease not found', { ...refused, code: 'ETCRON_LEASE_LOST' }],
  [
    'database space exceeded',
    {
      ...refused,
      code: 'ETCRON_ETCD_NO_SPACE',
      transient: true,
      hint: 'Compact and defragment etcd (or raise --quota-backend-bytes), then disarm the alarm with `etcdctl alarm disarm`.',
    },
  ],
  ['invalid auth token', { ...unauthorized, reauthenticate: true }],
  ['revision in header is old', { ...unauthorized, reauthenticate: true }],
  ['revision of auth store is old', { ...unauthorized, reauthenticate: true }],
  [
    'user name is empty',
    { ...unauthorized, reauthenticate: true, hint: 'etcd asks for a user and a password.' },
  ],
  ['authentication failed', unauthorized],
  ['user name not found', unauthorized],
  ['permission denied', unauthorized],
  ['no leader', { ...unavailable, notApplied: true }],
  ['raft proposal dropped', { ...unavailable, notApplied: true }],
  ['rpc not supported for learner', { ...unavailable, notApplied: true }],
  ['too many requests', { ...unavailable, notApplied: true }],
  ['request timed out', timedOut],
  // What grpc-js says when no connection was there to send the request on.
  ['No connection established', { ...unavailable, notApplied: true }],
  ['Name resolution failed', { ...unavailable, notApplied: true }],
  ['Waiting for LB pick', { ...timedOut, notApplied: true }],
  ['waiting for name resolution', { ...timedOut, notApplied: true }],
];

/** A connection could not be made in time; nothing was sent. */
export function dialTimeout(ms: number): Failure {
  return { ...timedOut, notApplied: true, reason: `no connection within ${Math.round(ms)} ms` };
}

/** A stream ended, or went silent, without a status that says why. */
export function broken(reason: string): Failure {
  return { ...unavailable, reason };
}

/** Judges what a gRPC call failed with. */
export function judge(error: unknown): Failure {
  const { code, details } = error as { code?: unknown; details?: unknown };
  const text = typeof details === 'string' && details !== '' ? details : messageOf(error);
  const reason = plainReason(text);
  const known = BY_TEXT.find(([part]) => text.includes(part));
  if (known) return { ...known[1], reason };
  switch (code) {
    case status.DEADLINE_EXCEEDED:
      return { ...timedOut, reason: 'no answer in time' };
    case status.UNAVAILABLE:
    case status.CANCELLED:
    case status.UNKNOWN:
    case status.INTERNAL:
      return { ...unavailable, reason };
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return { ...unauthorized, reason };
    case status.INVALID_ARGUMENT:
    case status.OUT_OF_RANGE:
    case status.NOT_FOUND:
    case status.FAILED_PRECONDITION:
    case status.UNIMPLEMENTED:
      return { ...refused, reason };
    default:
      // Resource exhausted is also what an answer that is too large to be received ends in: the request was applied.
      return { ...refused, notApplied: false, reason };
  }
}

const EXPLANATIONS: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED/, 'connection refused'],
  [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, 'the host name cannot be resolved'],
  [/EHOSTUNREACH|ENETUNREACH/, 'no route to the host'],
  [/ETIMEDOUT/, 'the connection timed out'],
  [/certificate has expired/i, 'the certificate of etcd has expired'],
  [/altnames/i, "etcd's certificate is not valid for this host name"],
  [
    /self[- ]signed certificate|unable to (verify|get)|signature failure/i,
    "etcd's certificate is not signed by an authority that is trusted here; name the right one as cacert",
  ],
  [
    /certificate required|bad certificate|handshake failure/i,
    'etcd asks for a client certificate that it trusts',
  ],
  [/before secure TLS connection/i, 'it closes connections before TLS is set up; perhaps it needs http://'],
  [/wrong version number|packet length too long/i, 'it does not speak TLS; perhaps it needs http://'],
  [
    /Failed to connect|Protocol error|ERR_HTTP2|ECONNRESET|socket hang up/i,
    'it closes connections at once; perhaps it needs https://, or a client certificate',
  ],
];

/** Without gRPC's wrapping, and in plain words where the cause is a known one. */
function plainReason(text: string): string {
  const last = /Last error: (.*?)(?: \(\d{4}-[^)]*\))?\. Resolution note:/s.exec(text)?.[1];
  if (last === undefined && !text.includes('Name resolution failed'))
    return text.replace(/^\d+ [A-Z_]+: /, '');
  const cause = last ?? text;
  return EXPLANATIONS.find(([pattern]) => pattern.test(cause))?.[1] ?? cause.replace(/^Error: /, '');
}

export interface CallFacts {
  /** What was asked for, for the message: `txn`, `range` … */
  readonly operation: string;
  /** A write, which may have been applied in part of the cases. */
  readonly write: boolean;
}

/** The error for the caller. `attempts` names each endpoint that was tried with what it last failed with. */
export function toStoreError(
  { operation, write }: CallFacts,
  failure: Failure,
  attempts: readonly (readonly [endpoint: string, reason: string])[],
  cause?: unknown,
): StoreError {
  const tried = attempts.map(([endpoint, reason]) => `${endpoint}: ${reason}`).join('; ');
  const message = `${PREFACES[failure.code] ?? 'etcd refused'} (${operation}): ${tried || failure.reason}`;
  return new StoreError(failure.code, message, {
    maybeApplied: write && !failure.notApplied,
    transient: failure.transient,
    details: { ...failure.details, endpoints: attempts.map(([endpoint]) => endpoint) },
    ...(failure.hint === undefined ? {} : { hint: failure.hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

const PREFACES: Partial<Record<ErrorCode, string>> = {
  ETCRON_ETCD_UNREACHABLE: 'no etcd endpoint answers',
  ETCRON_ETCD_TIMEOUT: 'etcd did not answer in time',
  ETCRON_ETCD_AUTH: 'etcd refused the credentials',
  ETCRON_ETCD_NO_SPACE: 'the etcd database is full',
  ETCRON_LEASE_LOST: 'the lease is gone',
};
