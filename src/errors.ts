/**
 * The one catalogue of errors. Every error that a user can meet has a stable `ETCRON_…` code, an exit code for the
 * command line and an HTTP status for the API; a test checks that each code in use is listed here and documented.
 *
 * Exit codes: 1 the operation failed, 2 usage or bad input, 3 etcd is out of reach.
 */
export const ERROR_CATALOGUE = {
  ETCRON_INTERNAL: { exitCode: 1, httpStatus: 500, summary: 'a defect in etcron itself' },
  ETCRON_USAGE: { exitCode: 2, httpStatus: 400, summary: 'what was asked for is not understood' },
  ETCRON_CONFIG_INVALID: { exitCode: 2, httpStatus: 400, summary: 'a setting has a wrong value' },
  ETCRON_FILE_UNREADABLE: { exitCode: 2, httpStatus: 400, summary: 'a file cannot be read' },
  ETCRON_EDITOR_FAILED: {
    exitCode: 1,
    httpStatus: 500,
    summary: 'the editor could not be started, or failed',
  },
  ETCRON_FILE_EXISTS: { exitCode: 2, httpStatus: 409, summary: 'a file that would be overwritten' },
  ETCRON_FILE_UNWRITABLE: { exitCode: 1, httpStatus: 500, summary: 'a file cannot be written' },
  ETCRON_IMPORT_INCOMPLETE: {
    exitCode: 1,
    httpStatus: 422,
    summary: 'something of another scheduler cannot be carried over',
  },
  ETCRON_YAML_INVALID: { exitCode: 2, httpStatus: 400, summary: 'a text is neither JSON nor YAML' },
  ETCRON_JOB_INVALID: { exitCode: 2, httpStatus: 422, summary: 'a job definition breaks the schema' },
  ETCRON_WARNINGS: { exitCode: 2, httpStatus: 422, summary: 'warnings are not accepted (--strict)' },
  ETCRON_JOB_NAME_INVALID: {
    exitCode: 2,
    httpStatus: 422,
    summary: 'a job name has characters that are not allowed',
  },
  ETCRON_SCHEDULE_INVALID: {
    exitCode: 2,
    httpStatus: 422,
    summary: 'a schedule expression is not understood',
  },
  ETCRON_TIMEZONE_INVALID: { exitCode: 2, httpStatus: 422, summary: 'a time zone is unknown' },
  ETCRON_JOB_NOT_FOUND: { exitCode: 1, httpStatus: 404, summary: 'no job has this name' },
  ETCRON_JOB_PAUSED: { exitCode: 1, httpStatus: 409, summary: 'the job is paused' },
  ETCRON_RUN_NOT_FOUND: { exitCode: 1, httpStatus: 404, summary: 'no run has this id' },
  ETCRON_WORKER_NOT_FOUND: { exitCode: 1, httpStatus: 404, summary: 'no worker has this name' },
  ETCRON_OUTPUT_GONE: {
    exitCode: 1,
    httpStatus: 404,
    summary: 'nobody has the whole output of this attempt',
  },
  ETCRON_WORKER_UNREACHABLE: {
    exitCode: 1,
    httpStatus: 502,
    summary: 'another worker that was needed does not answer',
  },
  ETCRON_LIMIT_NOT_FOUND: { exitCode: 1, httpStatus: 404, summary: 'no limit has this name' },
  ETCRON_CONFLICT: {
    exitCode: 1,
    httpStatus: 409,
    summary: 'somebody else changed the same thing meanwhile',
  },
  ETCRON_SET_CONFLICT: { exitCode: 1, httpStatus: 409, summary: 'another set of files manages the job' },
  ETCRON_RUN_FAILED: { exitCode: 1, httpStatus: 500, summary: 'the run that was waited for did not succeed' },
  ETCRON_WAIT_TIMEOUT: {
    exitCode: 1,
    httpStatus: 504,
    summary: 'what was waited for did not happen in time',
  },
  ETCRON_ETCD_UNREACHABLE: { exitCode: 3, httpStatus: 503, summary: 'no etcd endpoint answers' },
  ETCRON_ETCD_TIMEOUT: { exitCode: 3, httpStatus: 503, summary: 'etcd did not answer before the deadline' },
  ETCRON_ETCD_AUTH: {
    exitCode: 3,
    httpStatus: 503,
    summary: 'etcd refused the credentials or the permission',
  },
  ETCRON_ETCD_NO_SPACE: { exitCode: 3, httpStatus: 507, summary: 'the etcd database reached its quota' },
  ETCRON_ETCD_REFUSED: { exitCode: 1, httpStatus: 502, summary: 'etcd refused the request' },
  ETCRON_ETCD_BINARY: { exitCode: 1, httpStatus: 500, summary: 'no etcd binary could be found or installed' },
  ETCRON_ETCD_START: { exitCode: 1, httpStatus: 500, summary: 'the embedded etcd did not become healthy' },
  ETCRON_ETCD_ENDED: { exitCode: 1, httpStatus: 500, summary: 'the embedded etcd ended while it was needed' },
  ETCRON_WORKER_START: { exitCode: 1, httpStatus: 500, summary: 'a worker process could not start its work' },
  ETCRON_LISTEN_REFUSED: {
    exitCode: 2,
    httpStatus: 500,
    summary: 'the API would be open to others, so it does not listen there',
  },
  ETCRON_AUTH_REQUIRED: { exitCode: 3, httpStatus: 401, summary: 'the API wants a token that counts' },
  ETCRON_AUTH_FORBIDDEN: { exitCode: 3, httpStatus: 403, summary: 'the role of the token is not enough' },
  ETCRON_AUTH_LIMITED: {
    exitCode: 3,
    httpStatus: 429,
    summary: 'too many wrong tokens came from this address',
  },
  ETCRON_ORIGIN_REFUSED: {
    exitCode: 3,
    httpStatus: 403,
    summary: 'the request comes from a page or by a name that the API does not trust',
  },
  ETCRON_TOKEN_NOT_FOUND: { exitCode: 1, httpStatus: 404, summary: 'no token has this id' },
  ETCRON_REQUEST_INVALID: {
    exitCode: 2,
    httpStatus: 400,
    summary: 'the API does not understand the request',
  },
  ETCRON_ROUTE_NOT_FOUND: { exitCode: 2, httpStatus: 404, summary: 'the API has nothing at this address' },
  ETCRON_RATE_LIMITED: { exitCode: 1, httpStatus: 429, summary: 'more requests than the API answers' },
  ETCRON_LISTEN_FAILED: { exitCode: 1, httpStatus: 500, summary: 'the API cannot listen at its address' },
  ETCRON_SERVER_UNREACHABLE: {
    exitCode: 3,
    httpStatus: 503,
    summary: 'no etcron server answers at the address',
  },
  ETCRON_SERVER_TLS: { exitCode: 3, httpStatus: 503, summary: 'the TLS of the server is not trusted' },
  ETCRON_SERVER_REFUSED: {
    exitCode: 3,
    httpStatus: 502,
    summary: 'the server does not answer as etcron does',
  },
  ETCRON_LEASE_LOST: { exitCode: 1, httpStatus: 503, summary: "the node's lease is gone" },
} as const satisfies Record<string, { exitCode: number; httpStatus: number; summary: string }>;

/** One of the codes of the catalogue. */
export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** What an error may say beyond its message. */
export interface ErrorOptions {
  /** What the reader should do now; one sentence. */
  hint?: string;
  /** Machine-readable facts (key, file, line, endpoint …). */
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** An error with a stable code, made for the person who reads it: what, where, and what to do. */
export class EtcronError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown>;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EtcronError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? {};
  }

  /** With which the command line ends. */
  get exitCode(): number {
    return ERROR_CATALOGUE[this.code].exitCode;
  }

  /** The HTTP status that stands for it. */
  get httpStatus(): number {
    return ERROR_CATALOGUE[this.code].httpStatus;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
