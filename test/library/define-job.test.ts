import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  createNode,
  defineHandler,
  defineJob,
  EtcronError,
  type CreateNodeOptions,
} from '../../src/index.js';

const noop = (): void => undefined;

function errorOf(call: () => unknown): EtcronError {
  try {
    call();
  } catch (error) {
    if (error instanceof EtcronError) return error;
    throw error;
  }
  throw new Error('it did not throw');
}

describe('defineJob', () => {
  test('gives the definition that a file would hold', () => {
    const job = defineJob({
      name: 'report',
      schedule: '0 6 * * *',
      timezone: 'Europe/Berlin',
      retries: { attempts: 3 },
      payload: z.object({ region: z.string(), since: z.coerce.date() }),
      data: { region: 'north', since: '2026-01-01' },
      handler: noop,
    });
    expect(job.name).toBe('report');
    expect(job.definition).toEqual({
      schedule: '0 6 * * *',
      timezone: 'Europe/Berlin',
      retries: { attempts: 3 },
      handler: 'report',
      payload: { region: 'north', since: '2026-01-01' },
    });
  });

  test('says everything that is wrong, with the catalogue’s codes', () => {
    const error = errorOf(() =>
      defineJob({
        name: 'report',
        schedule: '61 * * * *',
        timezone: 'Europe/Berln',
        // @ts-expect-error -- a field that is none
        retrys: 3,
        handler: noop,
      }),
    );
    expect(error.code).toMatch(/^ETCRON_(JOB|SCHEDULE|TIMEZONE)_INVALID$/);
    expect(error.message).toContain('the job "report"');
    expect(error.message).toContain('schedule: ');
    expect(error.message).toContain('timezone: ');
    expect(error.message).toContain('retrys: is not a field of a job (did you mean "retries"?)');
  });

  test.each([
    ['a name', () => defineJob({ name: 'a b', schedule: '@daily', handler: noop }), /not a job name/],
    [
      'a handler',
      // @ts-expect-error -- a text is no handler
      () => defineJob({ name: 'j', schedule: '@daily', handler: 'report' }),
      /handler: must be a function/,
    ],
    [
      'the data, judged by the schema',
      () =>
        defineJob({
          name: 'j',
          schedule: '@daily',
          payload: z.object({ n: z.number() }),
          // @ts-expect-error -- a text is no number
          data: { n: 'x' },
          handler: noop,
        }),
      /data: is not what the handler takes: n: /,
    ],
    [
      'data that is missing',
      // @ts-expect-error -- the schema asks for it
      () => defineJob({ name: 'j', schedule: '@daily', payload: z.object({ n: z.number() }), handler: noop }),
      /data: is not what the handler takes/,
    ],
    [
      'data that is no JSON',
      () =>
        defineJob({
          name: 'j',
          schedule: '@daily',
          payload: z.object({ at: z.date() }),
          data: { at: new Date() },
          handler: noop,
        }),
      /data: must be JSON/,
    ],
  ])('refuses %s', (_, define, message) => {
    const error = errorOf(define);
    expect(error.code).toMatch(/^ETCRON_JOB/);
    expect(error.message).toMatch(message);
  });

  test('takes a schema that needs no data', () => {
    const job = defineJob({
      name: 'j',
      schedule: '@daily',
      payload: z.object({ n: z.number().default(1) }).prefault({}),
      handler: noop,
    });
    expect(job.definition).toEqual({ schedule: '@daily', handler: 'j' });
  });
});

describe('createNode', () => {
  const job = defineJob({ name: 'j', schedule: '@daily', handler: noop });

  test.each<[string, CreateNodeOptions, RegExp]>([
    [
      'an option that is none',
      { capcity: 3 } as CreateNodeOptions,
      /options.capcity: there is no such option/,
    ],
    [
      'one of etcd that is none',
      { etcd: { endpoint: 'x' } as object },
      /options.etcd.endpoint: there is no such option/,
    ],
    ['a capacity', { capacity: 0 }, /options: capacity: must be a whole number/],
    ['a duration', { leaseTtl: '10' }, /options: leaseTtl: write a duration/],
    [
      'durations that do not go together',
      { leaseTtl: '30s', horizon: '20s' },
      /not longer than the lease TTL/,
    ],
    ['a name', { name: 'a b' }, /options: name: must be letters/],
    ['the same job twice', { jobs: [job, job] }, /options.jobs: the job j is there twice/],
    [
      'a handler that a job has',
      { jobs: [job], handlers: { j: noop } },
      /options.handlers.j: a job of this name has a handler/,
    ],
    ['a handler that is none', { handlers: { k: 'x' as never } }, /options.handlers.k: must be a function/],
    ['the name of a set', { sync: { set: 'a b' } }, /options.sync.set/],
    ['a log', { log: 'loud' as never }, /options.log: must be a pino logger/],
  ])('refuses %s', (_, options, message) => {
    const error = errorOf(() => createNode(options));
    expect(error.code).toBe('ETCRON_CONFIG_INVALID');
    expect(error.message).toMatch(message);
  });

  test('refuses a broken job that is no handler', () => {
    const error = errorOf(() => createNode({ jobs: [{ name: 'k', schedule: '@daily' }] }));
    expect(error.code).toBe('ETCRON_JOB_INVALID');
    expect(error.message).toContain('the job "k": command: is required');
  });

  test('takes everything that is documented', () => {
    const node = createNode({
      ...{ name: 'a', capacity: 5, labels: { disk: 'ssd' }, log: 'silent', watchdog: false, prefix: '/x' },
      ...{ etcd: { endpoints: ['127.0.0.1:1'], dialTimeout: '100ms' }, leaseTtl: '10s', drainGrace: '1s' },
      jobs: [job, { name: 'k', schedule: '@daily', command: 'true' }],
      handlers: { other: defineHandler({ handler: noop }), plain: noop },
      sync: { set: 'billing', prune: true, takeOver: true },
    });
    expect(node).toMatchObject({ name: 'a', nodeId: null, isLeader: false });
  });

  test('says which endpoint does not answer, and leaves nothing behind', async () => {
    const node = createNode({ etcd: { endpoints: '127.0.0.1:1', dialTimeout: '500ms' }, log: 'silent' });
    await expect(node.start()).rejects.toMatchObject({ code: 'ETCRON_ETCD_UNREACHABLE' });
    await node.stop();
    await expect(node.start()).rejects.toMatchObject({ code: 'ETCRON_USAGE' });
    await expect(node.run('j')).rejects.toMatchObject({ code: 'ETCRON_USAGE' });
    await expect(
      createNode({ etcd: { endpoints: 'http://a, https://b' }, log: 'silent' }).start(),
    ).rejects.toThrow(/options.etcd.endpoints: http/);
  });

  test('stops before it was started', async () => {
    await createNode({ log: 'silent' }).stop();
  });
});
