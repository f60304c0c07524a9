import { afterEach, describe, expect, test } from 'vitest';
import { defineJob } from '../../src/index.js';
import {
  createTestCluster,
  type FakeCall,
  type TestCluster,
  type TestClusterOptions,
} from '../../src/testing/index.js';

const open: TestCluster[] = [];

async function clusterOf(options: TestClusterOptions): Promise<TestCluster> {
  const cluster = await createTestCluster(options);
  open.push(cluster);
  return cluster;
}

afterEach(async () => {
  for (const cluster of open.splice(0)) await cluster.close();
});

const command = 'true';
const iso = (dates: (Date | null)[]): (string | undefined)[] => dates.map((date) => date?.toISOString());

describe('time', () => {
  test('a month of an hourly and a daily job runs on all workers, each due time once and on time', async () => {
    const cluster = await clusterOf({
      jobs: [
        { name: 'hourly', schedule: '@hourly', command },
        { name: 'daily', schedule: '30 2 * * *', timezone: 'Europe/Berlin', command },
      ],
      workers: 3,
      start: '2026-03-01T00:00:00Z',
    });
    await cluster.advance('31d');
    expect(cluster.now).toEqual(new Date('2026-04-01T00:00:00Z'));
    const hourly = cluster.runs('hourly');
    expect(hourly).toHaveLength(31 * 24);
    expect(hourly[0]!.due).toEqual(new Date('2026-03-01T01:00:00Z'));
    expect(hourly.every(({ outcome }) => outcome === 'succeeded')).toBe(true);
    expect(hourly.every(({ due, startedAt }) => startedAt?.getTime() === due.getTime())).toBe(true);
    expect(new Set(hourly.map(({ worker }) => worker))).toEqual(new Set(cluster.workers));
    // On the 29th the clocks go from 2:00 to 3:00.
    expect(iso(cluster.runs('daily').map(({ due }) => due)).slice(-4)).toEqual([
      '2026-03-28T01:30:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
      '2026-03-31T00:30:00.000Z',
    ]);
  });

  test('goes to a moment, and not back', async () => {
    const cluster = await clusterOf({ start: new Date('2026-05-01T00:00:00Z') });
    await cluster.advanceTo('2026-05-02T12:00:00Z');
    expect(cluster.now.toISOString()).toBe('2026-05-02T12:00:00.000Z');
    await expect(cluster.advanceTo('2026-05-02T11:00:00Z')).rejects.toThrow(/is past/);
    await expect(cluster.advanceTo('tomorrow')).rejects.toThrow(/not a time/);
    await expect(cluster.advance('1 day')).rejects.toThrow(/not a duration/);
  });

  test('stands still while a handler does something real', async () => {
    const times: string[] = [];
    const job = defineJob({
      name: 'j',
      schedule: '@hourly',
      handler: async ({ now, sleep }) => {
        times.push(now().toISOString());
        // Turns of the event loop, as real work takes them.
        for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
        times.push(now().toISOString());
        await sleep('90s');
        times.push(now().toISOString());
      },
    });
    const cluster = await clusterOf({ jobs: [job], patienceMs: 60_000 });
    await cluster.advance('1h2m');
    expect(times).toEqual([
      '2026-01-01T01:00:00.000Z',
      '2026-01-01T01:00:00.000Z',
      '2026-01-01T01:01:30.000Z',
    ]);
    expect(cluster.runs('j')).toMatchObject([{ outcome: 'succeeded', durationMs: 90_000 }]);
  });
});

describe('commands', () => {
  test('are what the test says', async () => {
    const calls: FakeCall[] = [];
    const cluster = await clusterOf({
      jobs: [
        {
          name: 'backup',
          schedule: '@daily',
          command: ['tar', '-c'],
          env: { A: 'b' },
          retries: { attempts: 2, delay: '1m' },
        },
        { name: 'ping', schedule: '@daily', http: 'https://example.com/ping' },
      ],
      commands: (call) => {
        calls.push(call);
        if (call.url !== null) return { fails: 'HTTP 503', stderr: 'HTTP/1.1 503' };
        return call.attempt === 1 ? { exitCode: 3, took: '5m', stdout: 'half of it' } : { took: '10m' };
      },
    });
    await cluster.advance('1d1h');
    expect(
      calls.map(({ job, attempt, command: given, url, env, worker }) => [
        job,
        attempt,
        given,
        url,
        env,
        worker,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ['backup', 1, ['tar', '-c'], null, { A: 'b' }, 'worker-1'],
        ['backup', 2, ['tar', '-c'], null, { A: 'b' }, 'worker-1'],
        ['ping', 1, null, 'https://example.com/ping', {}, 'worker-1'],
      ]),
    );
    expect(cluster.runs('backup')).toMatchObject([
      { outcome: 'succeeded', attempts: 2, endedAt: new Date('2026-01-02T00:16:00Z') },
    ]);
    expect(cluster.runs('ping')).toMatchObject([
      { outcome: 'failed', reason: 'HTTP 503', stderr: 'HTTP/1.1 503' },
    ]);
  });

  test('that take too long end at the timeout', async () => {
    const cluster = await clusterOf({
      jobs: [{ name: 'slow', schedule: '@hourly', command, timeout: '10m' }],
      commands: () => ({ took: '30m' }),
    });
    await cluster.advance('2h');
    expect(cluster.runs('slow')).toMatchObject([{ outcome: 'timed_out', durationMs: 600_000 }]);
  });
});

describe('changes', () => {
  test('count from the moment at which they are made', async () => {
    const cluster = await clusterOf({ workers: 2 });
    await cluster.advanceTo('2026-01-01T10:59:59Z');
    await cluster.apply({ name: 'j', schedule: '*/10 * * * *', command });
    await cluster.advanceTo('2026-01-01T11:25:00Z');
    await cluster.apply({ name: 'j', schedule: '@hourly', command });
    await cluster.advanceTo('2026-01-01T13:30:00Z');
    await cluster.remove('j');
    await cluster.advance('5h');
    expect(iso(cluster.runs('j').map(({ due }) => due))).toEqual([
      '2026-01-01T11:00:00.000Z',
      '2026-01-01T11:10:00.000Z',
      '2026-01-01T11:20:00.000Z',
      '2026-01-01T12:00:00.000Z',
      '2026-01-01T13:00:00.000Z',
    ]);
  });

  test('nobody there: due times are missed, and made up for as the job says', async () => {
    const cluster = await clusterOf({
      jobs: [
        { name: 'once', schedule: '@hourly', command },
        { name: 'never', schedule: '@hourly', command, misfire: 'skip' },
      ],
    });
    await cluster.advance('1h');
    await cluster.kill('worker-1');
    expect(cluster.leader).toBeNull();
    await cluster.advance('5h30m');
    expect(await cluster.addWorker()).toBe('worker-2');
    await cluster.advance('1m');
    expect(cluster.leader).toBe('worker-2');
    const outcomes = (job: string): [string, number][] =>
      cluster.runs(job).map(({ outcome, count }) => [outcome, count]);
    expect(outcomes('once')).toEqual([
      ['succeeded', 1],
      ['missed', 4],
      ['succeeded', 1],
    ]);
    expect(outcomes('never')).toEqual([
      ['succeeded', 1],
      ['missed', 5],
    ]);
  });

  test('a leader that is stopped hands its office over', async () => {
    const cluster = await clusterOf({ jobs: [{ name: 'j', schedule: '* * * * *', command }], workers: 3 });
    await cluster.advance('10m');
    const first = cluster.leader!;
    await cluster.stop(first);
    await cluster.advance('10m');
    expect(cluster.workers).toHaveLength(2);
    expect(cluster.workers).toContain(cluster.leader);
    expect(cluster.runs('j').filter(({ outcome }) => outcome === 'succeeded')).toHaveLength(20);
    await expect(cluster.stop(first)).rejects.toThrow(/there is no worker "worker-1".*/);
  });

  test('a job runs where its labels are, and everywhere when it says so', async () => {
    const cluster = await clusterOf({
      jobs: [
        { name: 'ssd', schedule: '@hourly', command, target: { with: { disk: 'ssd' } } },
        { name: 'all', schedule: '@hourly', command, everywhere: true },
      ],
      workers: [{ name: 'a', labels: { disk: 'ssd' } }, 'b'],
    });
    await cluster.advance('3h');
    expect(cluster.runs('ssd').map(({ worker }) => worker)).toEqual(['a', 'a', 'a']);
    const perWorker = cluster.runs('all').filter(({ runId }) => runId.includes('+on-'));
    expect(perWorker.map(({ worker }) => worker).sort()).toEqual(['a', 'a', 'a', 'b', 'b', 'b']);
  });
});

test('the same seed gives the same runs', async () => {
  const jobs = [{ name: 'j', schedule: '*/7 * * * *', command }];
  const workersOf = async (seed: number): Promise<(string | null)[]> => {
    const cluster = await clusterOf({ jobs, workers: 3, seed });
    await cluster.advance('12h');
    return cluster.runs('j').map(({ worker }) => worker);
  };
  const first = await workersOf(7);
  expect(await workersOf(7)).toEqual(first);
  expect(await workersOf(8)).not.toEqual(first);
});
