/** Every error is a problem document, whatever was wrong. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { InjectOptions } from 'fastify';
import { problemDocument } from '../../src/api/schemas/common.js';
import { ApiUnderTest } from './support.js';

let api: ApiUnderTest;

beforeAll(async () => {
  api = await ApiUnderTest.start({
    extensions: [
      (app) => {
        app.get('/defect', { config: { role: null } }, () => {
          throw new TypeError('a secret of the code');
        });
        return Promise.resolve();
      },
    ],
  });
});

afterAll(() => api.stop());

const json = { 'content-type': 'application/json' };

test.each<[string, InjectOptions, number, string]>([
  ['no such address', { url: '/nope' }, 404, 'ETCRON_ROUTE_NOT_FOUND'],
  ['no such method', { url: '/api/v1/jobs', method: 'DELETE' }, 404, 'ETCRON_ROUTE_NOT_FOUND'],
  ['no such job', { url: '/api/v1/jobs/nope' }, 404, 'ETCRON_JOB_NOT_FOUND'],
  ['no run id', { url: '/api/v1/runs/a/b' }, 400, 'ETCRON_USAGE'],
  ['no such run', { url: '/api/v1/runs/a/2026-01-01T00:00:00.000Z' }, 404, 'ETCRON_RUN_NOT_FOUND'],
  ['a query out of range', { url: '/api/v1/jobs?limit=9999' }, 400, 'ETCRON_REQUEST_INVALID'],
  ['a wrong word', { url: '/api/v1/runs?outcome=good' }, 400, 'ETCRON_REQUEST_INVALID'],
  ['a wrong time', { url: '/api/v1/runs?from=yesterday' }, 400, 'ETCRON_REQUEST_INVALID'],
  ['a foreign cursor', { url: '/api/v1/runs?cursor=abc' }, 400, 'ETCRON_REQUEST_INVALID'],
  [
    'from after to',
    { url: '/api/v1/cluster/stats?from=2026-02-01&to=2026-01-01' },
    400,
    'ETCRON_REQUEST_INVALID',
  ],
  [
    'bad JSON',
    { url: '/api/v1/validate', method: 'POST', payload: '{', headers: json },
    400,
    'ETCRON_REQUEST_INVALID',
  ],
  [
    'another type',
    { url: '/api/v1/validate', method: 'POST', payload: '<a/>', headers: { 'content-type': 'text/xml' } },
    415,
    'ETCRON_REQUEST_INVALID',
  ],
  [
    'a body that is too large',
    { url: '/api/v1/validate', method: 'POST', payload: `"${'x'.repeat(3_000_000)}"`, headers: json },
    413,
    'ETCRON_REQUEST_INVALID',
  ],
  [
    'a wrong If-Match',
    {
      url: '/api/v1/jobs/a',
      method: 'PUT',
      payload: '{}',
      headers: { ...json, 'if-match': 'abc' },
    },
    400,
    'ETCRON_REQUEST_INVALID',
  ],
  ['a defect', { url: '/defect' }, 500, 'ETCRON_INTERNAL'],
])('%s', async (_name, request, status, code) => {
  const answer = await api.ask(request);
  expect(answer.headers['content-type']).toContain('application/problem+json');
  const problem = problemDocument.parse(answer.json());
  expect([answer.status, problem.status, problem.code]).toEqual([status, status, code]);
  expect(answer.text).not.toContain('secret');
  expect(answer.text).not.toContain('    at ');
});

test('more requests than are answered: 429, and when to come back', async () => {
  const small = await ApiUnderTest.start({ settings: { requestsPerSecond: 2 } });
  const answers = [];
  for (let count = 0; count < 3; count += 1) answers.push(await small.get('/healthz'));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(answers[2]?.json()).toMatchObject({ code: 'ETCRON_RATE_LIMITED' });
  expect(answers[2]?.headers['retry-after']).toBe('1');
  await small.stop();
});

test('whoever is not let in, or asks for what there is not, makes no more requests than others', async () => {
  const closed = await ApiUnderTest.start({ settings: { requestsPerSecond: 2, isLoopback: false } });
  for (const url of ['/api/v1/jobs', '/nothing']) {
    const remoteAddress = url === '/nothing' ? '192.0.2.1' : '192.0.2.2';
    const statuses = [];
    for (let count = 0; count < 3; count += 1)
      statuses.push((await closed.ask({ url, remoteAddress })).status);
    expect(statuses).toEqual(url === '/nothing' ? [404, 404, 429] : [401, 401, 429]);
  }
  // The same network of one machine.
  for (const [remoteAddress, status] of [
    ['2001:db8::1', 404],
    ['2001:db8::2', 404],
    ['2001:db8::3', 429],
  ] as const)
    expect((await closed.ask({ url: '/nothing', remoteAddress })).status).toBe(status);
  await closed.stop();
});

test('answers are not kept by anybody, and forbid all that a page could load from elsewhere', async () => {
  const { headers } = await api.get('/api/v1/cluster');
  expect(headers['cache-control']).toBe('no-store');
  expect(headers['content-security-policy']).toContain("default-src 'none'");
  expect(headers['x-content-type-options']).toBe('nosniff');
});

test('an etcd that is away: 503 with its code, while the process itself is well', async () => {
  const cut = await ApiUnderTest.start();
  cut.store.partition(true);
  const asking = Promise.resolve(cut.app.inject({ url: '/api/v1/jobs/a', headers: { host: 'localhost' } }));
  await cut.clock.advance(60_000);
  const answer = await asking;
  expect([answer.statusCode, answer.headers['retry-after']]).toEqual([503, '2']);
  expect((await cut.get('/healthz')).status).toBe(200);
  const waiting = Promise.resolve(cut.app.inject({ url: '/readyz', headers: { host: 'localhost' } }));
  await cut.clock.advance(60_000);
  expect((await waiting).statusCode).toBe(503);
  cut.store.partition(false);
  await cut.stop();
});
