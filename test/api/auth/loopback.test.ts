import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuthServer, bearer } from './support.js';

const LOCAL = { host: '127.0.0.1:8470' };

let server: AuthServer;

beforeEach(async () => {
  server = await AuthServer.start({ isLoopback: true });
});
afterEach(() => server.close());

describe('without any token, on a loopback address', () => {
  it.each(['127.0.0.1:8470', 'localhost:8470', 'LOCALHOST', '127.1.2.3', '[::1]:8470', 'etcron.localhost'])(
    'whoever asks as %s is an admin',
    async (host) => {
      expect((await server.post('/admin', { host })).json()).toEqual({
        ...{ name: 'local', role: 'admin', via: 'api' },
      });
    },
  );

  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1:8470@evil.example',
    'evil.example#localhost',
    '0.0.0.0:8470',
    '192.0.2.1',
    '[::ffff:1.2.3.4]',
    'localhost:8470, evil.example',
    ' ',
  ])('a foreign name (%j) that leads here gets nothing', async (host) => {
    const answer = await server.get('/viewer', { host });
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toMatchObject({ code: 'ETCRON_ORIGIN_REFUSED' });
  });

  it.each(['x-forwarded-for', 'x-forwarded-host', 'forwarded', 'x-real-ip', 'via'])(
    'nobody comes through a proxy (%s)',
    async (name) => {
      expect((await server.get('/viewer', { ...LOCAL, [name]: '127.0.0.1' })).statusCode).toBe(403);
    },
  );

  it('no page of another site gets anything done, or read', async () => {
    const foreign = { ...LOCAL, origin: 'http://evil.example' };
    expect((await server.post('/operator', foreign)).statusCode).toBe(403);
    expect((await server.post('/operator', { ...LOCAL, origin: 'http://127.0.0.1:3000' })).statusCode).toBe(
      403,
    );
    expect((await server.post('/operator', { ...LOCAL, origin: 'null' })).statusCode).toBe(403);
    expect((await server.get('/viewer', { ...LOCAL, 'sec-fetch-site': 'cross-site' })).statusCode).toBe(403);
    expect(server.seen).toEqual([]);
  });

  it('its own page may do everything', async () => {
    const own = { ...LOCAL, origin: 'http://127.0.0.1:8470', 'sec-fetch-site': 'same-origin' };
    expect((await server.post('/operator', own)).json()).toMatchObject({ via: 'page' });
    expect((await server.get('/session', own)).json()).toMatchObject({ via: 'loopback', role: 'admin' });
  });
});

describe('with a token', () => {
  it('nobody is an admin any more for being here, at once', async () => {
    expect((await server.get('/viewer', LOCAL)).statusCode).toBe(200);
    const token = await server.token('viewer');
    expect((await server.get('/viewer', LOCAL)).statusCode).toBe(401);
    expect((await server.get('/viewer', { ...LOCAL, ...bearer(token) })).statusCode).toBe(200);
    expect((await server.get('/admin', { ...LOCAL, ...bearer(token) })).statusCode).toBe(403);
  });

  it('that has expired it stays so: time opens nothing', async () => {
    await server.token('admin', { lifetimeMs: 1_000 });
    await server.clock.advance(10_000);
    expect((await server.get('/viewer', LOCAL)).statusCode).toBe(401);
  });

  it('until the last one is revoked', async () => {
    const token = await server.token('admin');
    expect((await server.get('/viewer', LOCAL)).statusCode).toBe(401);
    await server.revoke(token);
    expect((await server.get('/viewer', LOCAL)).statusCode).toBe(200);
  });
});

it('elsewhere than on a loopback address nobody gets in without, whatever the Host says', async () => {
  const open = await AuthServer.start({ isLoopback: false });
  expect((await open.get('/viewer', LOCAL, '127.0.0.1')).statusCode).toBe(401);
  await open.close();
});
