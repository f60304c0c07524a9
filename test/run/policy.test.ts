/** The last gate: what is forbidden is not started, even where the claim was made. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { resolveJob, type JobDefinition } from '../../src/jobs/index.js';
import { policySchema } from '../../src/jobs/policy/policy.js';
import { makePrepareTask } from '../../src/run/executor.js';
import { prepareHttp } from '../../src/run/http-task.js';
import { silentLogger } from '../../src/telemetry/logger.js';

let server: Server | null = null;
afterEach(() => void server?.close());

const context = { clock: systemClock, log: silentLogger() };

function requestOf(definition: Partial<JobDefinition>) {
  const job = resolveJob('job', { schedule: '@daily', ...definition });
  const dueIso = '2026-11-22T00:00:00.000Z';
  return {
    ...{ task: job.task, secrets: job.secrets, timezone: 'UTC', previousDueMs: () => null },
    ...{ timeoutMs: 10_000, killGraceMs: 1_000 },
    identity: { job: 'job', dueIso, attempt: 1, runId: `job/${dueIso}`, fencingToken: '1' },
  };
}

async function run(policy: object, definition: Partial<JobDefinition>) {
  const parsed = policySchema.parse(policy);
  const prepare = makePrepareTask({ policy: () => parsed });
  return (await prepare(requestOf(definition), context).start().result).ending;
}

it('a command that is allowed runs, another does not', async () => {
  const policy = { commands: { programs: ['/bin/true'] } };
  expect(await run(policy, { command: ['/bin/true'] })).toEqual({ kind: 'exited', exitCode: 0 });
  expect(await run(policy, { command: ['/bin/false'] })).toEqual({
    kind: 'start-failed',
    message: 'the policy of this worker forbids the program "/bin/false"',
    hint: 'What it may run stands in the file that its setting "policy" names.',
  });
  expect(await run(policy, { command: 'true' })).toMatchObject({ kind: 'start-failed' });
});

it('a request goes to allowed hosts only', async () => {
  let asked = 0;
  server = createServer((_request, response) => {
    asked += 1;
    response.end();
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/{{ job }}`;
  expect(await run({ http: { hosts: ['127.0.0.1'] } }, { http: url })).toEqual({ kind: 'completed' });
  expect(await run({ http: { hosts: ['localhost'] } }, { http: url })).toMatchObject({
    message: 'the policy of this worker forbids the host "127.0.0.1"',
  });
  expect(asked).toBe(1);
});

it('a URL is judged as it is sent, not as it was written', async () => {
  const request = requestOf({ http: 'http://{{ job }}.example/' });
  if (request.task.kind !== 'http') throw new Error('it is a request');
  const policy = policySchema.parse({ http: { hosts: ['*.internal'] } });
  const prepared = prepareHttp(request.task, request, context, policy);
  expect((await prepared.start().result).ending).toMatchObject({
    kind: 'start-failed',
    message: 'the policy of this worker forbids the host "job.example"',
  });
});
