/**
 * Serves the page: its files under /assets/, whose names hold a hash and which browsers may keep for ever, and the same
 * document at each address that the page itself knows. The document is open to anybody, since it holds nothing of the
 * cluster; what it shows it asks the API for, like any other client.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';

export interface DashboardOptions {
  /** The folder that Vite built: `index.html` and `assets/`. */
  readonly pageDir: string;
}

/** Addresses within the page (see web/src/shell/app.tsx). */
export const PAGE_ROUTES = [
  '/',
  '/jobs',
  '/jobs/:name',
  '/runs',
  '/runs/:job/:due',
  '/workers',
  '/limits',
  '/audit',
  '/tokens',
] as const;

/**
 * Everything from here and nothing from elsewhere; no code and no styles within the document, no frames around it, and no
 * forms that leave it.
 */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const DOCUMENT_HEADERS = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'cache-control': 'no-cache',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
} as const;

/** Files that stand at the root. */
const ROOT_FILES = ['icon.svg'] as const;
const YEAR_MS = 365 * 86_400_000;

/** Register it beside the routes of the API; each of its own is public. */
export async function dashboardPlugin(app: FastifyInstance, { pageDir }: DashboardOptions): Promise<void> {
  // A page that was not built is noticed when the worker starts, not when somebody needs it.
  readFileSync(join(pageDir, 'index.html'));
  await app.register(fastifyStatic, {
    root: pageDir,
    serve: false,
    preCompressed: true,
    cacheControl: false,
    dotfiles: 'deny',
  });
  const config = { role: null };
  const sendDocument = (reply: FastifyReply): FastifyReply =>
    reply.headers(DOCUMENT_HEADERS).sendFile('index.html', { cacheControl: false });
  for (const url of PAGE_ROUTES)
    app.get(url, { config, schema: { hide: true } }, (_, reply) => sendDocument(reply));
  app.get<{ Params: { '*': string } }>('/assets/*', { config, schema: { hide: true } }, (request, reply) =>
    reply
      .header('x-content-type-options', 'nosniff')
      .sendFile(`assets/${request.params['*']}`, { cacheControl: true, maxAge: YEAR_MS, immutable: true }),
  );
  for (const file of ROOT_FILES)
    app.get(`/${file}`, { config, schema: { hide: true } }, (_, reply) =>
      reply.header('x-content-type-options', 'nosniff').sendFile(file, { cacheControl: true, maxAge: '1d' }),
    );
}
