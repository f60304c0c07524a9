/**
 * Every error as a problem document (RFC 9457): those of the catalogue with their codes, those of the request itself, and
 * anything else as ETCRON_INTERNAL, whose cause goes to the log and not to the caller.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { ERROR_CATALOGUE, EtcronError, type ErrorCode } from '../errors.js';
import { printable } from '../jobs/index.js';
import type { Logger } from '../telemetry/logger.js';
import type { ProblemDocument } from './schemas/common.js';

export const PROBLEM_TYPE = 'application/problem+json';

/** The `type` of a problem: no address to be fetched, but a name that stays the same. */
const TYPE_PREFIX = 'urn:etcron:problem:';

export function problemOf(error: EtcronError, status: number = error.httpStatus): ProblemDocument {
  const { code, message, hint, details } = error;
  return {
    type: `${TYPE_PREFIX}${code}`,
    title: ERROR_CATALOGUE[code].summary,
    status,
    detail: message,
    code,
    hint: hint ?? null,
    details,
  };
}

/** An error whose status is not that of its code, such as 412 for a conflict that the caller asked to be told of. */
export class StatusError extends Error {
  constructor(
    readonly status: number,
    readonly error: EtcronError,
  ) {
    super(error.message);
  }
}

function sendProblem(reply: FastifyReply, error: EtcronError, status?: number): FastifyReply {
  const problem = problemOf(error, status);
  return reply.code(problem.status).type(PROBLEM_TYPE).send(JSON.stringify(problem));
}

/** For Fastify's `setErrorHandler`. */
export function errorHandler(log: Logger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const { status, error: told } = toldError(error, request);
    if (told.code === 'ETCRON_INTERNAL')
      log.error({ err: error, method: request.method, url: request.routeOptions.url }, 'a request failed');
    if (told.httpStatus === 503) void reply.header('retry-after', '2');
    return sendProblem(reply, told, status);
  };
}

/** For Fastify's `setNotFoundHandler`. */
export function notFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = printable(request.url.split('?')[0]!.slice(0, 200));
  return sendProblem(
    reply,
    new EtcronError('ETCRON_ROUTE_NOT_FOUND', `there is nothing at ${request.method} ${path}`, {
      hint: 'See /openapi.json for all there is.',
    }),
  );
}

function toldError(error: unknown, request: FastifyRequest): { status: number; error: EtcronError } {
  if (error instanceof StatusError) return error;
  if (error instanceof EtcronError) return { status: error.httpStatus, error };
  if (hasZodFastifySchemaValidationErrors(error)) {
    const told = invalidRequest(error);
    return { status: told.httpStatus, error: told };
  }
  const { statusCode = 500, message, code } = error as Partial<FastifyError>;
  if (statusCode < 400 || statusCode >= 500) {
    const told = new EtcronError(
      'ETCRON_INTERNAL',
      'a defect in etcron kept the request from being answered',
      {
        hint: 'The log of the worker that answered says more; it is at the same time.',
        details: { route: request.routeOptions.url ?? null },
      },
    );
    return { status: 500, error: told };
  }
  const errorCode: ErrorCode = statusCode === 429 ? 'ETCRON_RATE_LIMITED' : 'ETCRON_REQUEST_INVALID';
  return { status: statusCode, error: new EtcronError(errorCode, refusal(code, message, request)) };
}

function invalidRequest(error: Parameters<typeof hasZodFastifySchemaValidationErrors>[0]): EtcronError {
  if (!hasZodFastifySchemaValidationErrors(error)) throw error;
  const part = { querystring: 'query', params: 'path', headers: 'header', body: 'body' } as const;
  const where = part[(error as FastifyError).validationContext as keyof typeof part] ?? 'request';
  const problems = error.validation.map(({ instancePath, message }) => {
    const path = instancePath.replace(/^\//, '').replaceAll('/', '.');
    return { in: where, path, message: message ?? 'is wrong' };
  });
  const [first] = problems;
  const place = first === undefined || first.path === '' ? where : `${where} ${first.path}`;
  return new EtcronError('ETCRON_REQUEST_INVALID', `${place}: ${first?.message ?? 'is wrong'}`, {
    hint: 'See /openapi.json for what this route takes.',
    details: { problems },
  });
}

/** In our words, for what Fastify finds most often. */
function refusal(code: string | undefined, message: string | undefined, request: FastifyRequest): string {
  switch (code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return `a body of the type ${printable(request.headers['content-type'] ?? 'unknown')} is not taken here`;
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return 'the body is too large';
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return 'the body is empty, and its content-type promises JSON';
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return 'the body is not JSON';
    case undefined:
    default:
      return message ?? 'the request is not understood';
  }
}
