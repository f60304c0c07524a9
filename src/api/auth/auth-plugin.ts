/**
 * Who may do what: for each request, before its body is read.
 *
 *     a token in the URL                                → 400, and it should be revoked
 *     public route (`role: null`), no such route        → let through; changes only from this very site
 *     no token exists, and only this machine can ask    → an admin, unless a foreign name, site or proxy is in between
 *     Authorization: Bearer, else the cookie            → its role (401 when it does not count, 429 after many of those)
 *       a change by cookie                              → also needs the CSRF header, and to come from this very site
 *     role below that of the route                      → 403
 *
 * An answer that goes on (a stream) ends with its token: when that is revoked or expires, the connection is cut.
 */
import cookie from '@fastify/cookie';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../clock.js';
import { EtcronError } from '../../errors.js';
import { includesRole, type Role } from '../../operations/actor.js';
import { TOKEN_ANYWHERE } from '../../operations/tokens/token.js';
import type { Logger } from '../../telemetry/logger.js';
import { LOCAL_USER, type Access } from './access.js';
import { FailedLogins } from './failed-logins.js';
import { CSRF_HEADER, isSafeMethod, whyCrossSite, whyForged, whyNotLocal } from './origin.js';
import { clearSessionCookie, sessionCookie } from './session-cookie.js';
import { endWithToken } from './stream-end.js';
import type { KnownTokens, TokenCheck, TokenRegistry } from './token-registry.js';

export interface AuthOptions {
  readonly tokens: TokenRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  /** The server listens on a loopback address only: without any token everybody is an admin. */
  readonly isLoopback: boolean;
}

/** What the routes of the session need of it. */
export interface Authenticator {
  /** Checks a token that was presented; throws ETCRON_AUTH_REQUIRED or ETCRON_AUTH_LIMITED. */
  authenticate(request: FastifyRequest, reply: FastifyReply, text: string, by: Access['by']): Promise<Access>;
}

declare module 'fastify' {
  interface FastifyInstance {
    readonly auth: Authenticator;
  }
}

const ACCESS = Symbol('access');
type WithAccess = FastifyRequest & { [ACCESS]?: Access };

/** Register it before any route: `await app.register(authPlugin, { tokens, clock, log, isLoopback })`. */
export async function authPlugin(app: FastifyInstance, options: AuthOptions): Promise<void> {
  const { tokens, clock } = options;
  const failedLogins = new FailedLogins(clock);
  const authenticate: Authenticator['authenticate'] = async (request, reply, text, by) =>
    admit(await tokens.known(), { request, reply, text, by }, { ...options, failedLogins });

  await app.register(cookie);
  app.decorate('auth', { authenticate });
  app.decorateRequest('access', { getter: accessOf });
  app.decorateRequest('actor', {
    getter(this: FastifyRequest) {
      return accessOf.call(this).actor;
    },
  });
  app.addHook('onRequest', async (request, reply) => {
    refuseTokenInUrl(request);
    const role = neededRole(request);
    if (!isSafeMethod(request.method) || role !== null) throwIf(whyCrossSite(request.headers));
    if (role === null) return;
    const known = await tokens.known();
    const access =
      options.isLoopback && known.isEmpty
        ? localAccess(request)
        : await byCredentials(known, request, reply, { ...options, failedLogins });
    if (!includesRole(access.actor.role, role)) throw forbidden(request, access, role);
    (request as WithAccess)[ACCESS] = access;
    endWithToken(reply, access, tokens, clock);
  });
  app.addHook('onClose', () => tokens.close());
}

// What the plugin adds is for the whole server, not for the routes that it would register itself.
Object.assign(authPlugin, { [Symbol.for('skip-override')]: true });

interface AdmissionContext extends AuthOptions {
  readonly failedLogins: FailedLogins;
}

interface Presented {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly text: string;
  readonly by: Access['by'];
}

function accessOf(this: FastifyRequest): Access {
  const access = (this as WithAccess)[ACCESS];
  if (access) return access;
  throw new EtcronError('ETCRON_INTERNAL', `${this.routeOptions.url ?? 'a route'} is open to anybody`);
}

/** Where there is no such route the answer tells nothing, and may be the page. */
function neededRole(request: FastifyRequest): Role | null {
  const { role } = request.routeOptions.config;
  return request.is404 ? null : role === undefined ? 'admin' : role;
}

function refuseTokenInUrl({ url }: FastifyRequest): void {
  if (!TOKEN_ANYWHERE.test(url)) return;
  throw new EtcronError('ETCRON_USAGE', 'the URL holds a token, which proxies, logs and histories now know', {
    hint: 'Revoke it ("etcron tokens revoke"), make a new one, and send it as "Authorization: Bearer <token>".',
  });
}

function localAccess(request: FastifyRequest): Access {
  throwIf(whyNotLocal(request.headers));
  const isPage =
    request.headers[CSRF_HEADER] !== undefined || request.headers['sec-fetch-site'] !== undefined;
  const actor = { name: LOCAL_USER, role: 'admin', via: isPage ? 'page' : 'api' } as const;
  return { actor, by: 'loopback', tokenId: null, expiresAt: null };
}

async function byCredentials(
  known: KnownTokens,
  request: FastifyRequest,
  reply: FastifyReply,
  context: AdmissionContext,
): Promise<Access> {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    const text = /^Bearer +([^\s]+) *$/i.exec(authorization)?.[1] ?? '';
    return admit(known, { request, reply, text, by: 'token' }, context);
  }
  const text = sessionCookie(request);
  if (text === null) throw unauthorized(reply, 'this needs a token, and none was sent');
  const access = admit(known, { request, reply, text, by: 'cookie' }, context);
  if (!isSafeMethod(request.method)) throwIf(whyForged(request.headers));
  return access;
}

/** Lets a token that counts in; otherwise throws ETCRON_AUTH_REQUIRED, or ETCRON_AUTH_LIMITED where that was tried too often. */
function admit(
  known: KnownTokens,
  { request, reply, text, by }: Presented,
  { failedLogins, log }: AdmissionContext,
): Access {
  const found = known.check(text);
  const address = request.ip;
  const waitMs = failedLogins.waitMs(address, found.ok ? found.id : null);
  if (waitMs > 0) throw limited(reply, waitMs);
  if (found.ok) {
    failedLogins.succeeded(address, found.id);
    const { name, role, expiresAt } = found.token;
    const actor = { name, role, via: by === 'cookie' ? 'page' : 'api' } as const;
    return { actor, by, tokenId: found.id, expiresAt };
  }
  // Whoever has an expired token once had a right one: no guess.
  if (found.reason !== 'expired') failedLogins.failed(address);
  if (by === 'cookie') clearSessionCookie(reply);
  log.warn({ address, tokenId: found.id, reason: found.reason }, 'a token was refused');
  throw unauthorized(reply, refusal(found));
}

function refusal({ reason }: Extract<TokenCheck, { ok: false }>): string {
  switch (reason) {
    case 'malformed':
      return 'what was sent is no token';
    case 'unknown':
      return 'the token is wrong, or was revoked';
    case 'expired':
      return 'the token has expired';
  }
}

function unauthorized(reply: FastifyReply, message: string): EtcronError {
  reply.header('www-authenticate', 'Bearer realm="etcron"');
  return new EtcronError('ETCRON_AUTH_REQUIRED', message, {
    hint: 'Send "Authorization: Bearer <token>"; an admin makes tokens with "etcron tokens create".',
  });
}

function limited(reply: FastifyReply, waitMs: number): EtcronError {
  const seconds = Math.ceil(waitMs / 1_000);
  reply.header('retry-after', String(seconds));
  return new EtcronError('ETCRON_AUTH_LIMITED', 'too many wrong tokens came from this address', {
    hint: `Try again in ${seconds} s, with a token that counts.`,
    details: { retryAfterSeconds: seconds },
  });
}

function forbidden(request: FastifyRequest, { actor }: Access, needed: Role): EtcronError {
  return new EtcronError(
    'ETCRON_AUTH_FORBIDDEN',
    `${request.method} ${request.routeOptions.url ?? ''} needs the role ${needed}, and the token "${actor.name}" has ${actor.role}`,
    { hint: `Use a token with the role ${needed}.`, details: { role: actor.role, needed } },
  );
}

function throwIf(error: EtcronError | null): void {
  if (error !== null) throw error;
}
