import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_STALE_MS, TokenRegistry } from '../../../src/api/auth/token-registry.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { put } from '../../../src/etcd/txn.js';
import { makeToken } from '../../../src/operations/tokens/token.js';
import { AuthServer, bearer, keys } from './support.js';

let server: AuthServer;

beforeEach(async () => {
  server = await AuthServer.start();
});
afterEach(() => server.close());

describe('a token in the header', () => {
  it.each([
    ['viewer', { viewer: 200, operator: 403, admin: 403 }],
    ['operator', { viewer: 200, operator: 200, admin: 403 }],
    ['admin', { viewer: 200, operator: 200, admin: 200 }],
  ] as const)('of a %s opens what is for it: %j', async (role, expected) => {
    const token = await server.token(role, { name: 'anna' });
    for (const [path, status] of Object.entries(expected)) {
      expect((await server.get(`/${path}`, bearer(token))).statusCode).toBe(status);
      expect((await server.post(`/${path}`, bearer(token))).statusCode).toBe(status);
    }
    expect(server.seen[0]).toEqual({ name: 'anna', role, via: 'api' });
    // A route that does not say is for admins.
    expect((await server.get('/unsaid', bearer(token))).statusCode).toBe(role === 'admin' ? 200 : 403);
  });

  it('says what is missing, to people and to programs', async () => {
    const token = await server.token('viewer', { name: 'grafana' });
    const forbidden = await server.get('/admin', bearer(token));
    expect(forbidden.json()).toEqual({
      code: 'ETCRON_AUTH_FORBIDDEN',
      detail: 'GET /api/v1/admin needs the role admin, and the token "grafana" has viewer',
    });
    const none = await server.get('/viewer');
    expect(none.statusCode).toBe(401);
    expect(none.headers['www-authenticate']).toBe('Bearer realm="etcron"');
    expect(none.json()).toMatchObject({ code: 'ETCRON_AUTH_REQUIRED' });
  });

  it('must be a right one', async () => {
    const token = await server.token('admin');
    const other = makeToken();
    const [, id] = token.split('_');
    const wrong = [
      other.text,
      `etcron_${id}_${other.secret}`,
      token.slice(0, -1),
      `${token}x`,
      token.toUpperCase(),
      'null',
    ];
    for (const text of wrong) expect((await server.get('/viewer', bearer(text))).statusCode).toBe(401);
    const schemes = [`Basic ${Buffer.from(`x:${token}`).toString('base64')}`, token, `Bearer`, 'Bearer  '];
    for (const authorization of schemes)
      expect((await server.get('/viewer', { authorization }, '192.0.2.2')).statusCode).toBe(401);
    expect(server.seen).toEqual([]);
  });

  it('is not looked for anywhere else', async () => {
    const token = await server.token('admin');
    for (const headers of [{ 'x-api-key': token }, { 'proxy-authorization': `Bearer ${token}` }])
      expect((await server.get('/viewer', headers)).statusCode).toBe(401);
  });

  it('is refused in a URL, even beside a right one', async () => {
    const token = await server.token('admin');
    for (const path of [`/viewer?token=${token}`, `/viewer?a=1&access_token=${token}`, `/public?${token}`]) {
      const answer = await server.get(path, bearer(token));
      expect(answer.statusCode).toBe(400);
      expect(answer.body).toContain('the URL holds a token');
      expect(answer.body).not.toContain(token);
    }
  });

  it('counts as long as it was made for', async () => {
    const token = await server.token('viewer', { lifetimeMs: 60_000 });
    expect((await server.get('/viewer', bearer(token))).statusCode).toBe(200);
    await server.clock.advance(60_000);
    const expired = await server.get('/viewer', bearer(token));
    expect(expired.statusCode).toBe(401);
    expect(expired.json()).toMatchObject({ detail: 'the token has expired' });
  });

  it('stops to count as soon as the watch says that it was revoked', async () => {
    const [token, other] = [await server.token('viewer'), await server.token('viewer')];
    expect((await server.get('/viewer', bearer(token))).statusCode).toBe(200);
    await server.revoke(token);
    expect((await server.get('/viewer', bearer(token))).statusCode).toBe(401);
    expect((await server.get('/viewer', bearer(other))).statusCode).toBe(200);
  });

  it('lets nobody in by a record that is damaged, and the record still counts as a token', async () => {
    const { id, text } = makeToken();
    server.etcd.txn({ compare: [], success: [put(keys.token(id), '{"role":"admin"}')] });
    expect((await server.get('/viewer', bearer(text))).statusCode).toBe(401);
    const local = await AuthServer.start({ isLoopback: true });
    local.etcd.txn({ compare: [], success: [put(keys.token(id), 'x')] });
    expect((await local.get('/viewer', { host: 'localhost' })).statusCode).toBe(401);
    await local.close();
  });

  it('still counts while etcd is away, but not for long', async () => {
    const token = await server.token('viewer');
    expect((await server.get('/viewer', bearer(token))).statusCode).toBe(200);
    server.store.partition(true);
    await server.clock.advance(MAX_STALE_MS / 2);
    expect((await server.get('/viewer', bearer(token))).statusCode).toBe(200);
    await server.clock.advance(MAX_STALE_MS / 2 + 1_000);
    const stale = await server.get('/viewer', bearer(token));
    expect(stale.statusCode).toBe(503);
    expect(stale.json()).toMatchObject({ code: 'ETCRON_ETCD_UNREACHABLE' });
    expect((await server.get('/public')).statusCode).toBe(200);
  });

  it('counts from when etcd went away, however long before somebody asked last, while a stream is open', async () => {
    const { clock, store } = server;
    const tokens = new TokenRegistry({ store, keys, clock, log: silentLogger() });
    await server.settled(tokens.known());
    // As an open stream does.
    const forget = tokens.onChange(() => undefined);
    await clock.advance(3 * MAX_STALE_MS);
    store.partition(true);
    await clock.advance(MAX_STALE_MS / 2);
    expect((await server.settled(tokens.known())).isEmpty).toBe(true);
    await clock.advance(MAX_STALE_MS);
    await expect(server.settled(tokens.known())).rejects.toMatchObject({ code: 'ETCRON_ETCD_UNREACHABLE' });
    forget();
    store.partition(false);
    await server.settled(tokens.close());
  });

  it('opens nothing while it cannot be looked up', async () => {
    const token = await server.token('admin');
    server.store.partition(true);
    const asked = server.app.inject({ url: '/api/v1/admin', headers: bearer(token) });
    await server.clock.advance(60_000);
    expect((await asked).statusCode).toBe(503);
    server.store.partition(false);
    await server.clock.advance(1_000);
    expect((await server.get('/admin', bearer(token))).statusCode).toBe(200);
  });
});

describe('what is open to anybody', () => {
  it('needs no token, and knows no actor', async () => {
    expect((await server.get('/public')).body).toBe('hello');
    expect((await server.get('/public', { authorization: 'Bearer wrong' })).body).toBe('hello');
    expect((await server.get('/public-actor')).statusCode).toBe(500);
  });

  it('is told by nothing but the route', async () => {
    for (const path of ['/viewer/', '//viewer', '/VIEWER', '/viewer%2f', '/./viewer', '/public/../viewer'])
      expect([401, 404]).toContain((await server.get(path)).statusCode);
    expect((await server.get('/nowhere')).statusCode).toBe(404);
    expect((await server.request({ method: 'HEAD', url: '/api/v1/viewer' })).statusCode).toBe(401);
    const override = { 'x-http-method-override': 'GET', 'x-original-url': '/api/v1/public' };
    expect((await server.post('/viewer', override)).statusCode).toBe(401);
  });

  it('cannot be changed from another site', async () => {
    const headers = { host: 'etcron.example', origin: 'https://evil.example' };
    expect((await server.post('/public', headers)).statusCode).toBe(403);
    expect((await server.post('/public', { 'sec-fetch-site': 'cross-site' })).statusCode).toBe(403);
    expect((await server.post('/public', { ...headers, origin: 'https://etcron.example' })).statusCode).toBe(
      200,
    );
  });
});

describe('wrong tokens', () => {
  const guess = (address: string) => server.get('/viewer', bearer(makeToken().text), address);

  it('are limited per address, for right new ones too, while those in use go on', async () => {
    const [used, fresh] = [await server.token('viewer'), await server.token('viewer')];
    expect((await server.get('/viewer', bearer(used), '192.0.2.9')).statusCode).toBe(200);
    const statuses = [];
    for (let tries = 0; tries < 15; tries += 1) statuses.push((await guess('192.0.2.9')).statusCode);
    expect(statuses).toEqual([...Array<number>(10).fill(401), ...Array<number>(5).fill(429)]);
    const limited = await server.get('/viewer', bearer(fresh), '192.0.2.9');
    expect(limited.statusCode).toBe(429);
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    expect(limited.json()).toMatchObject({ code: 'ETCRON_AUTH_LIMITED' });
    expect((await server.get('/viewer', bearer(used), '192.0.2.9')).statusCode).toBe(200);
    expect((await server.get('/viewer', bearer(fresh), '192.0.2.10')).statusCode).toBe(200);
    await server.clock.advance(Number(limited.headers['retry-after']) * 1_000);
    expect((await server.get('/viewer', bearer(fresh), '192.0.2.9')).statusCode).toBe(200);
  });

  it('are counted by who connects, whatever the headers say', async () => {
    for (let tries = 0; tries < 12; tries += 1) {
      const headers = { ...bearer(makeToken().text), 'x-forwarded-for': `198.51.100.${tries}` };
      await server.get('/viewer', headers, '192.0.2.9');
    }
    expect((await guess('192.0.2.9')).statusCode).toBe(429);
    expect((await guess('198.51.100.1')).statusCode).toBe(401);
  });

  it('are limited where a browser signs in, too', async () => {
    const token = await server.token('viewer');
    const signIn = (text: string) =>
      server.request({
        ...{ method: 'POST', url: '/api/v1/session', remoteAddress: '192.0.2.9' },
        payload: { token: text },
      });
    for (let tries = 0; tries < 10; tries += 1) expect((await signIn(makeToken().text)).statusCode).toBe(401);
    expect((await signIn(token)).statusCode).toBe(429);
  });
});
