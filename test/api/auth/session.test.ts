import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeToken } from '../../../src/operations/tokens/token.js';
import { AuthServer, bearer } from './support.js';

const ORIGIN = { host: 'etcron.example', origin: 'https://etcron.example' };
const MEANT = { 'x-etcron-csrf': '1' };

let server: AuthServer;

beforeEach(async () => {
  server = await AuthServer.start();
});
afterEach(() => server.close());

const signIn = (token: string, headers: Record<string, string> = ORIGIN) =>
  server.request({ method: 'POST', url: '/api/v1/session', headers, payload: { token } });

async function cookieOf(role: 'viewer' | 'operator' | 'admin'): Promise<{ cookie: string }> {
  const [cookie] = (await signIn(await server.token(role))).cookies;
  return { cookie: `${cookie!.name}=${cookie!.value}` };
}

describe('signing in', () => {
  it('gives a cookie that no script reads and no other site uses', async () => {
    const answer = await signIn(await server.token('operator', { name: 'anna' }));
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({ name: 'anna', role: 'operator', via: 'cookie', expires: null });
    const header = String(answer.headers['set-cookie']);
    expect(header).toMatch(/; HttpOnly/);
    expect(header).toMatch(/; SameSite=Strict/);
    expect(header).toMatch(/; Path=\/api\//);
    expect(header).toMatch(/; Max-Age=604800/);
  });

  it('ends with the token at the latest', async () => {
    const answer = await signIn(await server.token('viewer', { lifetimeMs: 3_600_000 }));
    expect(answer.json()).toMatchObject({ expires: '2026-11-22T04:00:00.000Z' });
    expect(String(answer.headers['set-cookie'])).toContain('Max-Age=3600');
  });

  it('needs a right token, and comes from this site', async () => {
    expect((await signIn(makeToken().text)).statusCode).toBe(401);
    const token = await server.token('viewer');
    const elsewhere = { ...ORIGIN, origin: 'https://evil.example' };
    expect((await signIn(token, elsewhere)).statusCode).toBe(403);
    expect((await signIn(token, { ...ORIGIN, origin: 'null' })).statusCode).toBe(403);
  });

  it('is undone by signing out; the token goes on to count', async () => {
    const token = await server.token('viewer');
    const answer = await server.request({ method: 'DELETE', url: '/api/v1/session', headers: ORIGIN });
    expect(answer.statusCode).toBe(204);
    expect(String(answer.headers['set-cookie'])).toMatch(
      /etcron_session=;.*Path=\/api\/.*Expires=Thu, 01 Jan 1970/,
    );
    expect((await server.get('/viewer', bearer(token))).statusCode).toBe(200);
  });
});

describe('a cookie', () => {
  it('reads', async () => {
    const cookie = await cookieOf('viewer');
    expect((await server.get('/session', cookie)).json()).toMatchObject({ role: 'viewer', via: 'cookie' });
    expect((await server.get('/operator', cookie)).statusCode).toBe(403);
  });

  it('changes only what its page meant to change', async () => {
    const cookie = await cookieOf('operator');
    const post = async (headers: Record<string, string>) =>
      (await server.post('/operator', { ...cookie, ...headers })).statusCode;
    expect(await post({ ...ORIGIN, ...MEANT })).toBe(200);
    expect(await post({ ...MEANT, host: 'etcron.example', 'sec-fetch-site': 'same-origin' })).toBe(200);
    expect(server.seen.map(({ via }) => via)).toEqual(['page', 'page']);
    // A form of another site, or of this one.
    expect(await post({ ...ORIGIN, origin: 'https://evil.example' })).toBe(403);
    expect(await post(ORIGIN)).toBe(403);
    expect(await post({ ...ORIGIN, 'x-etcron-csrf': '0' })).toBe(403);
    expect(await post({ ...ORIGIN, ...MEANT, origin: 'https://evil.example' })).toBe(403);
    expect(await post({ ...ORIGIN, ...MEANT, origin: 'https://etcron.example.evil.example' })).toBe(403);
    expect(await post({ ...ORIGIN, ...MEANT, origin: 'https://etcron.example:8443' })).toBe(403);
    expect(await post({ ...ORIGIN, ...MEANT, origin: 'null' })).toBe(403);
    for (const site of ['cross-site', 'same-site'])
      expect(await post({ ...ORIGIN, ...MEANT, 'sec-fetch-site': site })).toBe(403);
    // No browser: whoever is none sends the token itself.
    expect(await post({ ...MEANT, host: 'etcron.example' })).toBe(403);
    expect(server.seen).toHaveLength(2);
  });

  it('is not even read for another site', async () => {
    const cookie = await cookieOf('viewer');
    expect((await server.get('/viewer', { ...cookie, 'sec-fetch-site': 'cross-site' })).statusCode).toBe(403);
    expect((await server.get('/viewer', { ...cookie, 'sec-fetch-site': 'none' })).statusCode).toBe(200);
  });

  it('is taken back when its token does not count any more', async () => {
    const token = await server.token('viewer');
    const [cookie] = (await signIn(token)).cookies;
    await server.revoke(token);
    const answer = await server.get('/viewer', { cookie: `${cookie!.name}=${cookie!.value}` });
    expect(answer.statusCode).toBe(401);
    expect(String(answer.headers['set-cookie'])).toContain('etcron_session=;');
  });

  it('gives way to a token in the header', async () => {
    const cookie = await cookieOf('viewer');
    const token = await server.token('admin', { name: 'ci' });
    expect((await server.post('/admin', { ...cookie, ...bearer(token) })).statusCode).toBe(200);
    const wrong = { ...(await cookieOf('admin')), authorization: 'Bearer wrong' };
    expect((await server.get('/viewer', wrong)).statusCode).toBe(401);
  });

  it.each(['', ';', '__proto__=x', 'etcron_session', 'etcron_session=%E0%A4%A', 'etcron_session="'])(
    'that is broken (%j) is none',
    async (cookie) => expect((await server.get('/viewer', { cookie })).statusCode).toBe(401),
  );
});

describe('the routes of tokens and of the audit record', () => {
  it('are for admins, who see a token once, and never its hash', async () => {
    const admin = bearer(await server.token('admin', { name: 'anna' }));
    const created = await server.request({
      ...{ method: 'POST', url: '/api/v1/tokens', headers: admin },
      payload: { name: 'ci', role: 'operator', expiresIn: '30d' },
    });
    expect(created.statusCode).toBe(201);
    const { id, token } = created.json<{ id: string; token: string }>();
    expect(created.json()).toMatchObject({ name: 'ci', role: 'operator', createdBy: 'anna' });
    await server.clock.settle();
    const list = await server.get('/tokens', admin);
    expect(list.json<{ tokens: object[] }>().tokens).toHaveLength(2);
    expect(list.body).not.toMatch(/hash|etcron_/);
    for (const path of ['/tokens', '/audit', '/audit/export'])
      expect((await server.get(path, bearer(await server.token('viewer')))).statusCode).toBe(403);
    expect((await server.get('/tokens', bearer(token))).statusCode).toBe(403);
    const revoked = await server.request({
      ...{ method: 'DELETE', url: `/api/v1/tokens/${id}`, headers: admin },
    });
    expect(revoked.json()).toEqual({ revoked: id });
    await server.clock.settle();
    expect((await server.get('/viewer', bearer(token))).statusCode).toBe(401);
    const audit = await server.get('/audit?key=access/tokens', admin);
    expect(audit.json<{ records: object[] }>().records).toMatchObject([
      { actor: { name: 'anna', role: 'admin', via: 'api' }, changes: [{ key: `access/tokens/${id}` }] },
      { actor: { name: 'anna', role: 'admin', via: 'api' }, changes: [{ before: null }] },
    ]);
    expect(audit.body).not.toContain('hash');
  });

  it('give the audit record as a file, whole', async () => {
    const admin = bearer(await server.token('admin', { name: 'anna' }));
    for (let index = 0; index < 250; index += 1) {
      const payload = { name: `t ${index}`, role: 'viewer' };
      await server.request({ method: 'POST', url: '/api/v1/tokens', headers: admin, payload });
    }
    const lines = await server.get('/audit/export?key=access/tokens', admin);
    expect(lines.headers['content-disposition']).toBe('attachment; filename="etcron-audit.ndjson"');
    expect(lines.headers['content-type']).toMatch(/^application\/x-ndjson/);
    const records = lines.body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { actor: object; changes: { after: string }[] });
    expect(records).toHaveLength(250);
    expect(records[0]).toMatchObject({ actor: { name: 'anna', role: 'admin', via: 'api' } });
    expect(records[0]!.changes[0]!.after).toContain('t 249');

    const csv = await server.get('/audit/export?format=csv', admin);
    expect(csv.headers['content-type']).toMatch(/^text\/csv/);
    const rows = csv.body.trimEnd().split('\r\n');
    expect(rows).toHaveLength(251);
    expect(rows[0]).toBe('"at","actor","role","via","key","before","after"');
    expect(rows[1]).toMatch(/^"2\d{3}-.*Z","anna","admin","api","access\/tokens\/\w+","","\{""/);
    expect((await server.get('/audit/export?format=xml', admin)).statusCode).toBe(400);
  });

  it('refuse what is no name and no duration', async () => {
    const headers = bearer(await server.token('admin'));
    const make = (payload: object) =>
      server.request({ method: 'POST', url: '/api/v1/tokens', headers, payload });
    expect((await make({ name: '\u001b[2J', role: 'viewer' })).statusCode).toBe(400);
    expect((await make({ name: 'x', role: 'viewer', expiresIn: 'soon' })).statusCode).toBe(400);
    expect((await make({ name: 'x', role: 'root' })).statusCode).toBe(400);
    expect((await server.request({ method: 'DELETE', url: '/api/v1/tokens/x', headers })).statusCode).toBe(
      404,
    );
  });
});
