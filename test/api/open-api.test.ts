/** The published document: each answer is as it says, and each route is in it. */
import Ajv, { type ValidateFunction } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiUnderTest } from './support.js';

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: string[];
  readonly responses: Record<
    string,
    { content?: Record<string, { schema: object }>; headers?: Record<string, object> }
  >;
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, object> };
}

let api: ApiUnderTest;
let document: Document;
/** `GET /api/v1/jobs` → the schema of 200. */
const called = new Set<string>();

beforeAll(async () => {
  api = await ApiUnderTest.start();
  await api.cluster.putJob('fast', { schedule: '*/10 * * * * *' });
  await api.cluster.putJob('slow', { schedule: '* * * * *', command: 'run 30000', labels: { team: 'a' } });
  await api.cluster.putJob('fails', { schedule: '30 * * * * *', command: 'run 10 exit 3' });
  await api.cluster.putJob('paused', { schedule: '@daily', paused: { reason: 'why not' } });
  await api.cluster.putJob('bad', '{"schedule": "nope"}');
  await api.cluster.putJob('limited', { schedule: '@hourly', limits: ['db'] });
  await api.cluster.addNodes('w1', 'w2');
  await api.clock.advance(65_000);
  document = (await api.get('/openapi.json')).json<Document>();
});

afterAll(() => api.stop());

/** Our schemas use nothing that is newer than what this validator knows, but for where definitions lie. */
function validator(schema: object): ValidateFunction {
  const text = JSON.stringify({ ...schema, definitions: document.components.schemas });
  const ajv = new Ajv({ schemaId: 'auto', unknownFormats: 'ignore', allErrors: true } as never);
  return ajv.compile(JSON.parse(text.replaceAll('#/components/schemas/', '#/definitions/')) as object);
}

async function check(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  url: string,
  body?: object | string,
): Promise<void> {
  const operation = document.paths[path]?.[method.toLowerCase()];
  expect(operation, `${method} ${path} is not in the document`).toBeDefined();
  called.add(`${method} ${path}`);
  const answer = await api.ask({
    method,
    url,
    ...(body === undefined ? {} : { payload: body }),
    ...(typeof body === 'string' ? { headers: { 'content-type': 'application/yaml' } } : {}),
  });
  const problem: Operation['responses'][string] = {
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
  const declared =
    operation!.responses[String(answer.status)] ?? (answer.status >= 400 ? problem : undefined);
  expect(declared, `${method} ${url} answered ${answer.status}: ${answer.text}`).toBeDefined();
  const [type] = ((answer.headers['content-type'] as string | undefined) ?? '').split(';');
  const schema = declared!.content?.[type!]?.schema;
  if (schema === undefined || !/[/+]json$/.test(type!)) return;
  const validate = validator(schema);
  expect(
    validate(answer.json()),
    `${method} ${url}: ${JSON.stringify(validate.errors)}\n${answer.text}`,
  ).toBe(true);
}

describe('the document', () => {
  test('is OpenAPI 3.1, and says of each route what it is for', () => {
    expect(document.openapi).toBe('3.1.0');
    for (const [path, operations] of Object.entries(document.paths))
      for (const [method, { summary, tags }] of Object.entries(operations)) {
        expect(summary, `${method} ${path}`).toMatch(/\w/);
        expect(tags?.length, `${method} ${path}`).toBe(1);
      }
  });

  test('is what each route answers', async () => {
    const v1 = '/api/v1';
    const reads: [string, string][] = [
      ['/healthz', '/healthz'],
      ['/readyz', '/readyz'],
      ['/metrics', '/metrics'],
      [`${v1}/cluster`, `${v1}/cluster`],
      [`${v1}/cluster/stats`, `${v1}/cluster/stats`],
      [`${v1}/cluster/timeline`, `${v1}/cluster/timeline`],
      [`${v1}/jobs`, `${v1}/jobs`],
      [`${v1}/jobs/{name}`, `${v1}/jobs/slow`],
      [`${v1}/jobs/{name}`, `${v1}/jobs/bad`],
      [`${v1}/jobs/{name}`, `${v1}/jobs/nope`],
      [`${v1}/jobs/{name}/next`, `${v1}/jobs/fast/next`],
      [`${v1}/jobs/{name}/history`, `${v1}/jobs/fast/history`],
      [`${v1}/runs`, `${v1}/runs?state=any`],
      [`${v1}/workers`, `${v1}/workers`],
      [`${v1}/limits`, `${v1}/limits`],
      [`${v1}/audit`, `${v1}/audit`],
      [`${v1}/audit/export`, `${v1}/audit/export`],
      [`${v1}/tokens`, `${v1}/tokens`],
      [`${v1}/session`, `${v1}/session`],
    ];
    for (const [path, url] of reads) await check('GET', path, url);
    const runs = (await api.get(`${v1}/runs?state=any&limit=200`)).json<{
      runs: { run: string; state: string }[];
    }>();
    for (const state of ['ended', 'running', 'planned']) {
      const one = runs.runs.find((run) => run.state === state);
      await check('GET', `${v1}/runs/{job}/{due}`, `${v1}/runs/${one!.run}`);
    }
    const running = runs.runs.find(({ state }) => state === 'running')!.run;
    const ended = runs.runs.find(({ state }) => state === 'ended')!.run;
    await check('POST', `${v1}/validate`, `${v1}/validate`, {
      name: 'x',
      text: 'schedule: "@daily"\ncommand: x',
    });
    await check('POST', `${v1}/diff`, `${v1}/diff`, { name: 'fast', text: 'schedule: "@daily"\ncommand: x' });
    await check('PUT', `${v1}/jobs/{name}`, `${v1}/jobs/new`, 'schedule: "@daily"\ncommand: x');
    await check('POST', `${v1}/jobs/{name}/pause`, `${v1}/jobs/new/pause`, { reason: 'r' });
    await check('POST', `${v1}/jobs/{name}/resume`, `${v1}/jobs/new/resume`);
    await check('POST', `${v1}/jobs/{name}/runs`, `${v1}/jobs/new/runs`);
    await check('DELETE', `${v1}/jobs/{name}`, `${v1}/jobs/new`);
    await check('POST', `${v1}/runs/{job}/{due}/kill`, `${v1}/runs/${running}/kill`, { reason: 'r' });
    await check('POST', `${v1}/runs/{job}/{due}/rerun`, `${v1}/runs/${ended}/rerun`);
    await check('PUT', `${v1}/limits/{name}`, `${v1}/limits/other`, { size: 2 });
    await check('DELETE', `${v1}/limits/{name}`, `${v1}/limits/other`);
    await check('POST', `${v1}/workers/{name}/drain`, `${v1}/workers/w1/drain`);
    await check('POST', `${v1}/workers/{name}/resume`, `${v1}/workers/w1/resume`);
    await check('POST', `${v1}/cluster/hand-over`, `${v1}/cluster/hand-over`);
    await check('POST', `${v1}/session`, `${v1}/session`, { token: 'nonsense' });
    await check('DELETE', `${v1}/session`, `${v1}/session`);
  });

  test('says of each read that its answer may be old', () => {
    for (const [path, { get }] of Object.entries(document.paths)) {
      const says = get?.responses['200']?.headers?.['etcron-stale-since'] !== undefined;
      expect(says, path).toBe(get !== undefined && path.startsWith('/api/v1/'));
    }
  });

  test('leaves no JSON route out of this test but those with tests of their own', () => {
    const own = ['/api/v1/events', '/api/v1/store/', '/api/v1/tokens', '/output', '/hop'];
    const all = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations)
        .filter((method) => method !== 'head')
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    const missing = all.filter((route) => !called.has(route) && !own.some((part) => route.includes(part)));
    expect(missing).toEqual([]);
  });
});
