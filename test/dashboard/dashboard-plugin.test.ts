import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  CONTENT_SECURITY_POLICY,
  dashboardPlugin,
  PAGE_ROUTES,
} from '../../src/dashboard/dashboard-plugin.js';

let folder: string;
let app: FastifyInstance;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'etcron-page-'));
  mkdirSync(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>page</title>');
  writeFileSync(join(folder, 'icon.svg'), '<svg/>');
  writeFileSync(join(folder, 'assets', 'index-abc.js'), 'plain');
  writeFileSync(join(folder, 'assets', 'index-abc.js.br'), 'brotli');
  writeFileSync(join(folder, '..', 'secret-of-the-machine'), 'secret');
  app = Fastify();
  app.addHook('onRequest', (_, reply, done) => {
    void reply.header('cache-control', 'no-store');
    done();
  });
  await app.register(dashboardPlugin, { pageDir: folder });
});

afterEach(async () => {
  await app.close();
  rmSync(folder, { recursive: true, force: true });
  rmSync(join(folder, '..', 'secret-of-the-machine'), { force: true });
});

describe('the page', () => {
  test.each([...PAGE_ROUTES.map((route) => route.replace(/:\w+/g, 'x.y')), '/jobs?q=1'])(
    'is the same document at %s',
    async (url) => {
      const answer = await app.inject(url);
      expect(answer.statusCode).toBe(200);
      expect(answer.body).toContain('<title>page</title>');
      expect(answer.headers['content-type']).toContain('text/html');
      expect(answer.headers['cache-control']).toBe('no-cache');
      expect(answer.headers['content-security-policy']).toBe(CONTENT_SECURITY_POLICY);
    },
  );

  test('allows no inline code, no inline styles and nothing from elsewhere', () => {
    expect(CONTENT_SECURITY_POLICY).toContain("default-src 'none'");
    expect(CONTENT_SECURITY_POLICY).not.toMatch(/unsafe|\*|https?:/);
  });

  test('does not answer for other addresses', async () => {
    for (const url of ['/api/v1/nothing', '/nowhere', '/index.html', '/assets/none.js'])
      expect((await app.inject(url)).statusCode).toBe(404);
  });

  test('does not leave its folder', async () => {
    for (const url of ['/assets/..%2f..%2fsecret-of-the-machine', '/assets/../../secret-of-the-machine']) {
      const answer = await app.inject(url);
      expect(answer.statusCode).not.toBe(200);
      expect(answer.body).not.toBe('secret');
    }
  });
});

test('files with a hash in their names may be kept for ever, and are sent compressed', async () => {
  const url = '/assets/index-abc.js';
  const answer = await app.inject({ url, headers: { 'accept-encoding': 'br, gzip' } });
  expect(answer.body).toBe('brotli');
  expect(answer.headers['content-encoding']).toBe('br');
  expect(answer.headers['content-type']).toContain('/javascript');
  expect(answer.headers['cache-control']).toBe('public, max-age=31536000, immutable');
  expect((await app.inject(url)).body).toBe('plain');
});

test('a folder without a page is refused when the server starts', async () => {
  rmSync(join(folder, 'index.html'));
  await expect(Fastify().register(dashboardPlugin, { pageDir: folder })).rejects.toThrow('index.html');
});
