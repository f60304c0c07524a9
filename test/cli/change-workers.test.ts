import { beforeEach, describe, expect, test } from 'vitest';
import { del } from '../../src/etcd/txn.js';
import { due, GOOD_JOB, keys, TestCli } from './support.js';

let cli: TestCli;

const drainOf = (name: string): unknown => {
  const kv = cli.etcd.get(keys.drain(name));
  return kv && JSON.parse(kv.value.toString());
};

beforeEach(() => {
  cli = new TestCli();
  cli.putLeader('w1-a');
  cli.putWorker('w1-a');
  cli.putWorker('w2-b');
  cli.putJob('a', GOOD_JOB);
});

describe('workers drain', () => {
  test('puts a request that the lists show, and resume takes it away', async () => {
    const asked = await cli.run('workers', 'drain', 'w2', '--reason', 'new disk');
    expect([asked.stdout, asked.stderr]).toEqual(['asked w2 to drain\n', '']);
    expect(drainOf('w2')).toEqual({
      by: expect.stringContaining('@') as string,
      reason: 'new disk',
      at: '2026-11-21T14:00:00.000Z',
    });
    expect((await cli.run('workers', 'drain', 'w2')).stdout).toBe('w2 is asked to drain already\n');
    expect(drainOf('w2')).toMatchObject({ reason: 'new disk' });
    await cli.run('workers', 'drain', 'w2', '--reason', 'other disk');
    expect(drainOf('w2')).toMatchObject({ reason: 'other disk' });
    cli.putWorker('w2-b', { state: 'draining' });
    const list = await cli.run('workers');
    expect(list.stdout).toMatch(/^ +w2 +w2-b +h1 +7 +drained +0\/4/m);
    expect(list.stderr).toMatch(/^w2 is to stay drained, asked for by .*@.*, now: other disk$/m);
    expect((await cli.run('status')).stdout).toMatch(/Drained workers\nWORKER\nw2 +to stay drained/);
    const json = (await cli.run('workers', '--json')).json<{ workers: { name: string; drain: unknown }[] }>();
    expect(json.workers.map(({ name, drain }) => [name, drain !== null])).toEqual([
      ['w1', false],
      ['w2', true],
    ]);
    expect((await cli.run('workers', 'resume', 'w2')).stdout).toBe('w2 takes runs again\n');
    expect(drainOf('w2')).toBeNull();
    expect((await cli.run('workers', 'resume', 'w2')).stdout).toBe('w2 is not drained\n');
  });

  test('warns when it is the last one, and knows a name that is meant', async () => {
    cli.putWorker('w2-b', { skewed: true });
    expect((await cli.run('workers', 'drain', 'w1')).stderr).toContain('no other worker is active');
    const unknown = await cli.run('workers', 'drain', 'w3');
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/there is no worker "w3" \[ETCRON_WORKER_NOT_FOUND\]\nhint: Did you mean/);
    expect(drainOf('w3')).toBeNull();
  });

  test('waits until the worker runs nothing, and says what is left', async () => {
    cli.putFiring(due('a', 0), { attempt: 1, node: 'w2-b' });
    let steps = 0;
    cli.etcd.observe(({ events }) => {
      if (!events.some((event) => event.type === 'put' && event.kv.key === keys.drain('w2'))) return;
      setImmediate(() => {
        steps += 1;
        cli.putWorker('w2-b', { state: 'draining' });
        setImmediate(() => cli.endRun(due('a', 0)));
      });
    });
    const { code, stdout, stderr } = await cli.run('workers', 'drain', 'w2', '--wait');
    expect([code, stdout, steps]).toEqual([0, 'w2 is drained: it runs nothing\n', 1]);
    expect(stderr).toContain('1 run left: a/2026-11-21T14:00:00.000Z');
  });
});

describe('workers hand-over', () => {
  const answer = (nodeId: string): void => {
    cli.etcd.observe(({ events }) => {
      if (!events.some((event) => event.type === 'put' && event.kv.key === keys.handover)) return;
      setImmediate(() => {
        cli.etcd.txn({ compare: [], success: [del(keys.leader), del(keys.handover)] });
        cli.putLeader(nodeId);
      });
    });
  };

  test('asks the leader, and says who leads then', async () => {
    answer('w2-b');
    const { code, stdout } = await cli.run('workers', 'hand-over');
    expect([code, stdout]).toEqual([0, 'w2-b leads now (it was w1-a; 0s)\n']);
  });

  test('says when somebody else took it than was asked for', async () => {
    cli.putWorker('w3-c');
    answer('w3-c');
    const { stderr, stdout } = await cli.run('workers', 'hand-over', '--to', 'w2', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ from: 'w1-a', to: 'w3-c' });
    expect(stderr).toContain('w2 did not take the office');
  });

  test('is refused where nobody else can lead', async () => {
    cli.putWorker('w2-b', { state: 'draining' });
    const { code, stderr } = await cli.run('workers', 'hand-over');
    expect(code).toBe(1);
    expect(stderr).toContain('nobody else can lead: "w1" is the only active worker [ETCRON_CONFLICT]');
  });
});

describe('runs rerun', () => {
  test('asks for the same due time again, beside the record, and names what it repeats', async () => {
    cli.putRun(due('a', -60), { outcome: 'failed' });
    const { code, stdout } = await cli.run('runs', 'rerun', 'a/2026-11-21T13:59:00.000Z');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^a\/2026-11-21T13:59:00\.000Z\+rerun-20261121T140000Z-[0-9a-f]{4}\n$/);
    expect(JSON.parse(cli.etcd.get(keys.firings + stdout.trim())!.value.toString())).toMatchObject({
      ...{ origin: 'manual', rerunOf: 'a/2026-11-21T13:59:00.000Z', misfire: true },
      notBefore: '2026-11-21T14:00:00.000Z',
    });
    cli.endRun(
      { ...due('a', -60), suffix: stdout.trim().split('+')[1]! },
      {
        manual: true,
        rerunOf: 'a/2026-11-21T13:59:00.000Z',
      },
    );
    const shown = await cli.run('runs', 'get', stdout.trim());
    expect(shown.stdout).toMatch(/^repeats +a\/2026-11-21T13:59:00\.000Z$/m);
  });

  test('repeats the run of one worker on that worker, with its place among all', async () => {
    for (const name of ['w1', 'w2', 'w3']) cli.putRun(due('a', -60, `on-${name}`));
    const { stdout } = await cli.run('runs', 'rerun', 'a/2026-11-21T13:59:00.000Z+on-w2');
    expect(stdout).toMatch(/\+rerun-20261121T140000Z-[0-9a-f]{4}\.on-w2\n$/);
    expect(JSON.parse(cli.etcd.get(keys.firings + stdout.trim())!.value.toString())).toMatchObject({
      only: { worker: 'w2', index: 1, count: 3 },
    });
  });

  test('waits for the end when asked to, and fails when it fails', async () => {
    cli.putRun(due('a', -60));
    cli.onFiring((run) =>
      cli.endRun(
        { ...due('a', -60), suffix: run.split('+')[1]! },
        { outcome: 'failed', reason: 'exit code 1' },
      ),
    );
    const { code, stderr } = await cli.run('runs', 'rerun', 'a/2026-11-21T13:59:00.000Z', '--wait');
    expect(code).toBe(1);
    expect(stderr).toContain('ended failed: exit code 1 [ETCRON_RUN_FAILED]');
  });

  test('wants a run that is over, of a job that is there', async () => {
    cli.putFiring(due('a', 0), { attempt: 1, node: 'w1-a' });
    const running = await cli.run('runs', 'rerun', 'a/2026-11-21T14:00:00.000Z');
    expect(running.stderr).toContain('is not over [ETCRON_CONFLICT]');
    const unknown = await cli.run('runs', 'rerun', 'a/2026-11-21T13:00:00.000Z');
    expect(unknown.stderr).toContain('[ETCRON_RUN_NOT_FOUND]');
    cli.putRun(due('gone', -60));
    const gone = await cli.run('runs', 'rerun', 'gone/2026-11-21T13:59:00.000Z');
    expect(gone.stderr).toContain('[ETCRON_JOB_NOT_FOUND]');
  });
});
