/** Handlers, on the cluster that programs test theirs with. */
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineHandler, defineJob, EtcronError, type HandlerRun } from '../../src/index.js';
import { createTestCluster, type TestCluster, type TestClusterOptions } from '../../src/testing/index.js';

const open: TestCluster[] = [];

async function clusterOf(options: TestClusterOptions): Promise<TestCluster> {
  const cluster = await createTestCluster(options);
  open.push(cluster);
  return cluster;
}

afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster.close();
});

/** Sleeps for so long, and notes what came of it. */
const sleeper = (ms: number, ends: string[] = []) =>
  async function (run: HandlerRun): Promise<void> {
    try {
      await run.sleep(ms);
      ends.push('done');
    } catch (error) {
      ends.push(String((error as Error).message));
      throw error;
    }
  };

const EVERY_HOUR = '0 * * * *';

describe('a handler', () => {
  test('is called at its due time with what it is to know', async () => {
    const seen: HandlerRun[] = [];
    const job = defineJob({
      name: 'report',
      schedule: '30 7 * * *',
      payload: z.object({ region: z.string(), limit: z.number().default(10) }),
      data: { region: 'north' },
      handler: (run) => void seen.push(run),
    });
    const cluster = await clusterOf({ jobs: [job], workers: 2, start: '2026-03-01T00:00:00Z' });
    await cluster.advance('2d');
    expect(seen.map(({ due }) => due.toISOString())).toEqual([
      '2026-03-01T07:30:00.000Z',
      '2026-03-02T07:30:00.000Z',
    ]);
    const [first, second] = seen;
    expect(first).toMatchObject({
      payload: { region: 'north', limit: 10 },
      attempt: 1,
      job: 'report',
      runId: 'report/2026-03-01T07:30:00.000Z',
      previousDue: new Date('2026-02-28T07:30:00Z'),
    });
    expect(second!.fencingToken > first!.fencingToken).toBe(true);
    expect(first!.signal.aborted).toBe(false);
  });

  test('has what it returns kept as stdout, and what it logs as stderr', async () => {
    const job = defineJob({
      name: 'report',
      schedule: EVERY_HOUR,
      handler: async ({ log }) => {
        log.info('sent %d mails', 3);
        log.child({ region: 'north' }).warn({ left: 2 }, 'some are left');
        log.debug('not said at this level');
        log.error(new Error('no route'));
        return { sent: 3 };
      },
    });
    const cluster = await clusterOf({ jobs: [job], log: 'fatal' });
    await cluster.advance('1h');
    expect(cluster.runs('report')).toMatchObject([
      { outcome: 'succeeded', stdout: '{"sent":3}', stderr: '' },
    ]);

    const lines: string[] = [];
    const { createLogger } = await import('../../src/index.js');
    const log = createLogger({ destination: { write: (line) => void lines.push(line) } });
    const loud = await clusterOf({ jobs: [job], log });
    await loud.advance('1h');
    expect(loud.runs('report')[0]!.stderr).toBe(
      'info sent 3 mails\nwarn some are left {"region":"north","left":2}\nerror no route {"err":"no route"}\n',
    );
    const said = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(said.find(({ msg }) => msg === 'some are left')).toMatchObject({
      job: 'report',
      left: 2,
      attempt: 1,
    });
  });

  test.each([
    [() => 5n, ''],
    [() => 'text', '"text"'],
    [() => null, 'null'],
    [() => undefined, ''],
    [() => () => 1, ''],
  ])('succeeds whatever it returns (%#)', async (handler, stdout) => {
    const cluster = await clusterOf({ jobs: [defineJob({ name: 'j', schedule: EVERY_HOUR, handler })] });
    await cluster.advance('1h');
    expect(cluster.runs('j')).toMatchObject([{ outcome: 'succeeded', stdout }]);
  });

  test('fails with the message of what it throws, without a stack', async () => {
    const cluster = await clusterOf({
      jobs: [
        defineJob({
          name: 'j',
          schedule: EVERY_HOUR,
          handler: () => {
            throw new Error('the bank did not answer');
          },
        }),
      ],
    });
    await cluster.advance('1h');
    expect(cluster.runs('j')).toMatchObject([
      { outcome: 'failed', reason: 'the bank did not answer', stderr: '' },
    ]);
  });

  test('is tried again as the job says, with the next attempt', async () => {
    const attempts: number[] = [];
    const cluster = await clusterOf({
      jobs: [
        defineJob({
          name: 'j',
          schedule: EVERY_HOUR,
          retries: { attempts: 3, delay: '1m' },
          handler: async ({ attempt, now }) => {
            attempts.push(attempt);
            if (attempt < 3) throw new Error('not yet');
            return now().toISOString();
          },
        }),
      ],
      workers: 2,
    });
    await cluster.advance('1h5m');
    expect(attempts).toEqual([1, 2, 3]);
    expect(cluster.runs('j')).toMatchObject([
      { outcome: 'succeeded', attempts: 3, stdout: '"2026-01-01T01:03:00.000Z"' },
    ]);
  });

  test('gets only what its schema lets through; a wrong payload in etcd is said clearly, and nothing is called', async () => {
    let called = 0;
    const greet = defineHandler({
      payload: z.object({ to: z.email(), times: z.number().max(3) }),
      handler: () => void (called += 1),
    });
    const cluster = await clusterOf({ handlers: { greet } });
    await cluster.apply({
      name: 'greetings',
      schedule: EVERY_HOUR,
      handler: 'greet',
      payload: { to: 'nobody', times: 7 },
    });
    await cluster.advance('1h');
    const [run] = cluster.runs('greetings');
    expect(run!.outcome).toBe('failed');
    expect(run!.reason).toContain('the payload is not what the handler "greet" takes: to: ');
    expect(run!.reason).toContain('times: ');
    expect(run!.reason).toContain('correct the payload of the job');
    expect(called).toBe(0);
    await cluster.apply({
      name: 'greetings',
      schedule: EVERY_HOUR,
      handler: 'greet',
      payload: { to: 'a@b.cd', times: 1 },
    });
    await cluster.advance('1h');
    expect(cluster.runs('greetings').at(-1)).toMatchObject({ outcome: 'succeeded' });
    expect(called).toBe(1);
  });

  test('runs only where it is: other workers let it be', async () => {
    const job = defineJob({ name: 'j', schedule: '*/5 * * * *', handler: () => undefined });
    const cluster = await clusterOf({ jobs: [job], workers: ['a'] });
    await cluster.advance('1h');
    expect(new Set(cluster.runs('j').map(({ worker }) => worker))).toEqual(new Set(['a']));
    // A job whose handler nobody has waits, and goes through the misfire policy like any other.
    await cluster.apply({ name: 'orphan', schedule: EVERY_HOUR, handler: 'unknown', misfire: 'skip' });
    await cluster.advance('2h');
    expect(cluster.runs('orphan').map(({ outcome }) => outcome)).not.toContain('succeeded');
  });
});

describe('a handler that is to end', () => {
  test('is told by its signal at its timeout', async () => {
    const ends: string[] = [];
    const job = defineJob({
      name: 'j',
      schedule: EVERY_HOUR,
      timeout: '1m',
      handler: sleeper(3_600_000, ends),
    });
    const cluster = await clusterOf({ jobs: [job] });
    await cluster.advance('1h2m');
    expect(ends).toEqual(['the run took longer than its timeout']);
    expect(cluster.runs('j')).toMatchObject([{ outcome: 'timed_out', durationMs: 60_000 }]);
  });

  test('is told by its signal when somebody kills the run', async () => {
    const ends: string[] = [];
    const job = defineJob({ name: 'j', schedule: EVERY_HOUR, handler: sleeper(1_800_000, ends) });
    const cluster = await clusterOf({ jobs: [job] });
    await cluster.advance('1h1m');
    await cluster.killRun('j/2026-01-01T01:00:00.000Z', 'wrong month');
    await cluster.advance('1s');
    expect(ends).toHaveLength(1);
    expect(cluster.runs('j')).toMatchObject([{ outcome: 'killed', reason: 'by the test: wrong month' }]);
  });

  test('keeps its claim when it does not listen: nobody runs the firing beside it, and its end counts', async () => {
    const releases: (() => void)[] = [];
    const deaf = defineJob({
      name: 'deaf',
      schedule: EVERY_HOUR,
      timeout: '1m',
      retries: { attempts: 2, delay: '1s' },
      handler: () => new Promise<void>((resolve) => releases.push(resolve)),
    });
    const cluster = await clusterOf({ jobs: [deaf], workers: 2, patienceMs: 5 });
    const ignored: unknown[] = [];
    for (const name of cluster.workers)
      cluster.node(name).on('runIgnoredEnd', (event) => ignored.push(event));
    await cluster.advance('1h30m');
    expect(releases).toHaveLength(1);
    expect(cluster.runs('deaf')).toEqual([]);
    expect(ignored).toEqual([{ runId: 'deaf/2026-01-01T01:00:00.000Z', why: 'timeout' }]);
    releases[0]!();
    await cluster.advance('2s');
    expect(releases).toHaveLength(2);
    releases[1]!();
    await cluster.advance('2s');
    expect(cluster.runs('deaf')).toMatchObject([{ outcome: 'succeeded', attempts: 2 }]);
  });

  test('is run again elsewhere when its worker dies, with a greater fencing token', async () => {
    const seen: { worker: string; attempt: number; fencingToken: bigint }[] = [];
    const job = defineJob({
      name: 'j',
      schedule: EVERY_HOUR,
      handler: async (run) => {
        seen.push({ worker: '', attempt: run.attempt, fencingToken: run.fencingToken });
        await run.sleep('10m');
      },
    });
    const cluster = await clusterOf({ jobs: [job], workers: 3 });
    await cluster.advance('1h1m');
    const [running] = cluster.workers.filter((name) => cluster.node(name).runs().length > 0);
    await cluster.kill(running!);
    await cluster.advance('20m');
    expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(seen[1]!.fencingToken > seen[0]!.fencingToken).toBe(true);
    expect(cluster.runs('j')).toMatchObject([{ outcome: 'succeeded', attempts: 2 }]);
    expect(cluster.runs('j')[0]!.worker).not.toBe(running);
  });

  test('may finish when its worker is stopped, and is handed over when it takes too long', async () => {
    const ends: string[] = [];
    const job = defineJob({ name: 'j', schedule: EVERY_HOUR, handler: sleeper(600_000, ends) });
    const cluster = await clusterOf({ jobs: [job], workers: 2 });
    await cluster.advance('1h1m');
    const [running] = cluster.workers.filter((name) => cluster.node(name).runs().length > 0);
    await cluster.stop(running!);
    await cluster.advance('15m');
    expect(ends).toEqual(['the run was ended: shutdown', 'done']);
    expect(cluster.runs('j')).toMatchObject([{ outcome: 'succeeded', attempts: 2 }]);
  });
});

describe('events', () => {
  test('tell of lives, of the office and of attempts', async () => {
    const told: string[] = [];
    const job = defineJob({
      name: 'j',
      schedule: EVERY_HOUR,
      retries: { attempts: 2, delay: '1m' },
      handler: async ({ attempt, progress }) => {
        progress(0.5);
        progress('half of it');
        if (attempt === 1) throw new Error('no');
        return 'yes';
      },
    });
    const cluster = await clusterOf({ jobs: [job] });
    const node = cluster.node('worker-1');
    expect(node.isLeader).toBe(true);
    node.on('runStarted', ({ attempt, latenessMs }) => told.push(`started ${attempt} ${latenessMs}`));
    node.on('runProgress', ({ progress }) => {
      told.push(`${progress}, shown: ${node.runs()[0]!.progress}`);
    });
    node.on('runEnded', ({ outcome, next, output }) => told.push(`${outcome} ${next} ${output}`));
    node.on('runEnded', () => {
      throw new Error('a listener that fails harms nobody');
    });
    node.on('deposed', ({ reason }) => told.push(reason));
    await cluster.advance('1h5m');
    await cluster.stop('worker-1');
    expect(told).toEqual([
      'started 1 0',
      '0.5, shown: 0.5',
      'half of it, shown: half of it',
      'failed retry ',
      'started 2 0',
      '0.5, shown: 0.5',
      'half of it, shown: half of it',
      'succeeded recorded "yes"',
      'resigned',
    ]);
    expect(node.runs()).toEqual([]);
  });

  test('runs by hand have ids of their own', async () => {
    const cluster = await clusterOf({
      jobs: [defineJob({ name: 'j', schedule: '0 0 1 1 *', handler: () => 'here' })],
    });
    const runId = await cluster.run('j');
    await cluster.advance('1s');
    expect(cluster.runs('j')).toMatchObject([
      { runId, manual: true, outcome: 'succeeded', stdout: '"here"' },
    ]);
    await expect(cluster.run('k')).rejects.toThrow(EtcronError);
  });
});
