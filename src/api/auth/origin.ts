/**
 * Where a request comes from, by the headers that a browser sets and no page can change. What stands here protects people
 * who browse; whoever is no browser has to show a token anyway.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { EtcronError } from '../../errors.js';

/** With it a page says that it meant the request: no form and no other site's script can send it unasked. */
export const CSRF_HEADER = 'x-etcron-csrf';

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

export function isSafeMethod(method: string): boolean {
  return SAFE_METHODS.has(method);
}

const LOOPBACK_HOST = /^(?:localhost|[a-z0-9-]+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/** The header `Host` names this very machine, as it does not where a foreign name resolves to 127.0.0.1. */
function isLoopbackHost(host: string | undefined): boolean {
  return host !== undefined && LOOPBACK_HOST.test(host);
}

const LOOPBACK_ADDRESS = /^(?:127(?:\.\d{1,3}){3}|::1|::ffff:127(?:\.\d{1,3}){3}|localhost)$/i;

/** An address to listen on that no other machine reaches. */
export function isLoopbackAddress(address: string): boolean {
  return LOOPBACK_ADDRESS.test(address);
}

/** Headers of proxies: behind one, everybody comes from a loopback address. */
const PROXY_HEADERS = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'] as const;

/** Null, or why somebody without a token is no local user after all. */
export function whyNotLocal(headers: IncomingHttpHeaders): EtcronError | null {
  if (!isLoopbackHost(headers.host)) {
    return new EtcronError(
      'ETCRON_ORIGIN_REFUSED',
      'without tokens this server answers only to 127.0.0.1, ::1 and localhost',
      { hint: 'Use one of these names, or make a token with "etcron tokens create".' },
    );
  }
  if (PROXY_HEADERS.every((name) => headers[name] === undefined)) return null;
  return new EtcronError(
    'ETCRON_ORIGIN_REFUSED',
    'without tokens this server does not answer through a proxy, behind which anybody could be',
    { hint: 'Make a token with "etcron tokens create".' },
  );
}

/** Null, or why a browser sent this for another site's sake. */
export function whyCrossSite(headers: IncomingHttpHeaders): EtcronError | null {
  const site = headers['sec-fetch-site'];
  const { origin } = headers;
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return crossSite();
  return origin === undefined || hostOf(origin) === headers.host?.toLowerCase() ? null : crossSite();
}

/** Null, or what an unsafe request with a cookie lacks. */
export function whyForged(headers: IncomingHttpHeaders): EtcronError | null {
  if (headers[CSRF_HEADER] !== '1') {
    return new EtcronError(
      'ETCRON_ORIGIN_REFUSED',
      `a change by cookie needs the header "${CSRF_HEADER}: 1", and this request has none`,
    );
  }
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) return null;
  return new EtcronError(
    'ETCRON_ORIGIN_REFUSED',
    'a change by cookie must say where it comes from (Origin or Sec-Fetch-Site)',
    { hint: 'Programs send the token itself: "Authorization: Bearer <token>".' },
  );
}

function crossSite(): EtcronError {
  return new EtcronError('ETCRON_ORIGIN_REFUSED', 'another site sent this request', {
    hint: 'Open the page of etcron itself. Behind a proxy, let it pass the header Host on unchanged.',
  });
}

/** `null`, which browsers send for what has no origin, is none. */
function hostOf(origin: string): string | null {
  try {
    return new URL(origin).host.toLowerCase();
  } catch {
    return null;
  }
}
