/**
 * The cookie by which a browser shows its token: out of reach of scripts, never sent for another site's sake, and to the API
 * only. It holds the token itself, not a session: nothing to store, and it ends with the token on all nodes at once.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';

const SESSION_COOKIE = 'etcron_session';
const PATH = '/api/';
const MAX_AGE_MS = 7 * 24 * 3_600_000;

export function sessionCookie(request: FastifyRequest): string | null {
  return request.cookies[SESSION_COOKIE] ?? null;
}

/** `restMs`: how long the token still counts; null: for ever. */
export function setSessionCookie(reply: FastifyReply, token: string, restMs: number | null): void {
  reply.setCookie(SESSION_COOKIE, token, {
    ...attributes(reply),
    maxAge: Math.floor(Math.min(restMs ?? Infinity, MAX_AGE_MS) / 1_000),
  });
}

export function clearSessionCookie(reply: FastifyReply): void {
  reply.clearCookie(SESSION_COOKIE, attributes(reply));
}

function attributes({ request }: FastifyReply): {
  path: string;
  httpOnly: true;
  sameSite: 'strict';
  secure: boolean;
} {
  return { path: PATH, httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https' };
}
