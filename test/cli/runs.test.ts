import { beforeEach, describe, expect, test } from 'vitest';
import { parseRunId } from '../../src/etcd/keys.js';
import { put } from '../../src/etcd/txn.js';
import { decodeFiring } from '../../src/view/firing-record.js';
import { due, GOOD_JOB, keys, T0, TestCli } from './support.js';

let cli: TestCli;

beforeEach(() => {
  cli = new TestCli();
});

const output = (text: string, totalBytes = text.length) => ({
  text,
  totalBytes,
  truncated: totalBytes > text.length,
});

describe('run', () => {
  test('puts a firing that is due now and prints its id', async () => {
    cli.putJob('a', GOOD_JOB);
    cli.putWorker('w1-abc123');
    const { code, stdout, stderr } = await cli.run('run', 'a');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const id = parseRunId(stdout.trim())!;
    expect(id).toMatchObject({
      job: 'a',
      dueMs: T0,
      suffix: expect.stringMatching(/^manual-\w+$/) as string,
    });
    const firing = decodeFiring(cli.etcd.get(keys.firing(id))!);
    expect(firing).toMatchObject({
      value: { origin: 'manual', attempt: 0, requestedBy: expect.stringContaining('@') as string },
    });
    const second = (await cli.run('run', 'a', '--json')).json<{ run: string }>();
    expect(second.run).not.toBe(stdout.trim());
  });

  test('warns when nobody can run it', async () => {
    cli.putJob('a', GOOD_JOB);
    const { code, stderr } = await cli.run('run', 'a');
    expect(code).toBe(0);
    expect(stderr).toMatch(/^warning: there is no worker now/);
  });

  test('refuses what does not exist or is broken', async () => {
    cli.putJob('backup', 'nonsense');
    expect((await cli.run('run', 'bakup')).stderr).toContain('Did you mean "backup"?');
    const broken = await cli.run('run', 'backup');
    expect(broken.code).toBe(2);
    expect(broken.stderr).toContain('[ETCRON_JOB_INVALID]');
  });

  test('--wait shows what happens and how it ended', async () => {
    cli.putJob('a', GOOD_JOB);
    cli.putWorker('w1-abc123');
    cli.onFiring((runId) => {
      const id = parseRunId(runId)!;
      cli.putFiring(id, { origin: 'manual', attempt: 1, node: 'w1-abc123' });
      setImmediate(() => cli.endRun(id, { attempts: 1, stdout: output('hello\n'), exitCode: 0 }));
    });
    const { code, stdout, stderr } = await cli.run('run', 'a', '--wait');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^outcome +succeeded$/m);
    expect(stdout).toMatch(/stdout\nhello\n/);
    expect(stderr).toMatch(/^a\/2026-11-21T14:00:00.000Z\+manual-/);
  });

  test('--wait tells of claims and retries', async () => {
    cli.putJob('a', GOOD_JOB);
    cli.putWorker('w1-abc123');
    cli.onFiring((runId) => {
      const id = parseRunId(runId)!;
      // Each state stands until the command has seen it.
      const states = [
        { attempt: 1, node: 'w1-abc123' },
        { attempt: 1, notBefore: T0 + 5_000 },
        { attempt: 2, node: 'w1-abc123' },
      ];
      const step = (): void => {
        const state = states.shift();
        if (!state)
          return cli.endRun(id, { outcome: 'failed', reason: 'exit code 3', attempts: 2, exitCode: 3 });
        cli.putFiring(id, { origin: 'manual', ...state });
        later(step);
      };
      later(step);
    });
    const { code, stdout, stderr } = await cli.run('run', 'a', '--wait');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^outcome +failed$/m);
    expect(stderr).toContain('attempt 2 claimed by w1');
    expect(stderr).toMatch(/error: a\/.* ended failed: exit code 3 \[ETCRON_RUN_FAILED\]/);
  });

  test('--wait --json prints the record alone, and the failure on stderr', async () => {
    cli.putJob('a', GOOD_JOB);
    cli.putWorker('w1-abc123');
    cli.onFiring((runId) => cli.endRun(parseRunId(runId)!, { outcome: 'timed_out' }));
    const result = await cli.run('run', 'a', '--wait', '--json');
    expect(result.code).toBe(1);
    expect(result.json()).toMatchObject({ job: 'a', outcome: 'timed_out' });
    expect(JSON.parse(result.stderr)).toMatchObject({ error: { code: 'ETCRON_RUN_FAILED' } });
  });

  test('--wait --timeout gives up, and the run goes on', async () => {
    cli.putJob('a', GOOD_JOB);
    cli.putWorker('w1-abc123');
    const { code, stderr } = await cli.run('run', 'a', '--wait', '--timeout', '0s');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /is not over after 0s \[ETCRON_WAIT_TIMEOUT\]\nhint: It goes on; see "etcron runs get/,
    );
  });

  test('--wait notices when the firing goes away without a record', async () => {
    cli.putJob('a', GOOD_JOB);
    cli.putWorker('w1-abc123');
    cli.onFiring((runId) => {
      later(() => cli.etcd.txn({ compare: [], success: [{ type: 'delete', key: keys.firings + runId }] }));
    });
    const { code, stderr } = await cli.run('run', 'a', '--wait');
    expect(code).toBe(1);
    expect(stderr).toContain('[ETCRON_RUN_NOT_FOUND]');
  });

  /** After some turns of the event loop, in which the watches of the command deliver. */
  function later(work: () => void, turns = 20): void {
    setImmediate(() => (turns === 0 ? work() : later(work, turns - 1)));
  }
});

describe('runs list', () => {
  beforeEach(() => {
    for (let second = 0; second < 5; second++)
      cli.putRun(due('a', second), { attempts: 1, durationMs: 1_250, worker: 'w1' });
    cli.putRun(due('b', 3), {
      outcome: 'missed',
      missed: { from: T0, through: T0 + 3_000, count: 4, atLeast: true },
    });
  });

  test('newest first, with a way to older ones', async () => {
    const { code, stdout, stderr } = await cli.run('runs', 'list', '-n', '3');
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^RUN +OUTCOME +TOOK +LATE +TRIES +WORKER +WHY$/);
    expect(lines[1]).toMatch(/^a\/2026-11-21T14:00:04.000Z +succeeded +1s250ms +1 +w1$/);
    expect(lines.slice(2).map((line) => line.split(' ')[0])).toEqual([
      'a/2026-11-21T14:00:03.000Z',
      'b/2026-11-21T14:00:03.000Z',
    ]);
    expect(lines[3]).toContain('at least 4 due times');
    expect(stderr).toContain("--after 'b/2026-11-21T14:00:03.000Z'");
    const rest = await cli.run('runs', 'list', '--after', 'b/2026-11-21T14:00:03.000Z', '--json');
    expect(rest.json<{ runs: { due: string }[]; next: null }>()).toMatchObject({
      runs: [{ due: '2026-11-21T14:00:02.000Z' }, {}, {}],
      next: null,
    });
  });

  test('by job and by outcome', async () => {
    const runs = async (...args: string[]) =>
      (await cli.run('runs', 'list', '--json', ...args)).json<{ runs: { run: string }[] }>().runs.length;
    expect(await runs('--job', 'b')).toBe(1);
    expect(await runs('--outcome', 'succeeded')).toBe(5);
    expect(await runs('--outcome', 'missed,lost')).toBe(1);
    expect(await runs('--outcome', 'lost')).toBe(0);
    expect((await cli.run('runs', 'list', '--job', 'c')).stdout).toBe('No runs.\n');
  });
});

describe('runs get', () => {
  test('everything that was recorded, with the cut of the output marked', async () => {
    cli.putRun(due('a', 1), {
      outcome: 'failed',
      reason: 'exit code 2',
      exitCode: 2,
      attempts: 3,
      crashes: 1,
      worker: 'w1',
      nodeId: 'w1-abc123',
      fencingToken: '77',
      startedAt: T0 + 1_010,
      endedAt: T0 + 3_010,
      durationMs: 2_000,
      latenessMs: 10,
      stdout: output('tail\u001b[31m\nof it\n', 90_000),
      stderr: output(''),
    });
    const { code, stdout } = await cli.run('runs', 'get', 'a/2026-11-21T14:00:01.000Z');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^outcome +failed$/m);
    expect(stdout).toMatch(/^attempts +3 \(1 lost with a worker\)$/m);
    expect(stdout).toMatch(/^worker +w1 \(w1-abc123\)$/m);
    expect(stdout).toMatch(/^fencing token +77$/m);
    expect(stdout).toMatch(/^late by +10ms$/m);
    expect(stdout).toContain('stdout, the end of 90000 bytes\n[… cut]\ntail\\u001b[31m\nof it\n');
    expect(stdout).not.toContain('stderr');
    const json = (await cli.run('runs', 'get', 'a/2026-11-21T14:00:01.000Z', '--json')).json();
    expect(json).toMatchObject({
      run: 'a/2026-11-21T14:00:01.000Z',
      exitCode: 2,
      startedAt: '2026-11-21T14:00:01.010Z',
    });
  });

  test('one that is still under way, from its firing and its lock', async () => {
    const id = due('a', -5);
    cli.putWorker('w1-abc123');
    cli.putFiring(id, { attempt: 2, node: 'w1-abc123' });
    const lock = {
      node: 'w1-abc123',
      worker: 'w1',
      attempt: 2,
      claimedAt: new Date(T0 - 6_000).toISOString(),
    };
    cli.etcd.txn({ compare: [], success: [put(keys.lock(id), JSON.stringify(lock))] });
    const token = String(cli.etcd.get(keys.lock(id))!.createRevision);
    const { code, stdout } = await cli.run('runs', 'get', 'a/2026-11-21T13:59:55.000Z');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^state +running on w1, attempt 2$/m);
    expect(stdout).toContain(`fencing token ${token}`);
    expect((await cli.run('runs', 'get', 'a/2026-11-21T13:59:55.000Z', '--json')).json()).toMatchObject({
      state: 'running',
      attempt: 2,
      lock: { fencingToken: token, claimedAt: '2026-11-21T13:59:54.000Z' },
    });
  });

  test.each([
    [{}, -5, 'due 5s ago, and not claimed yet'],
    [{}, 5, 'planned, due in 5s'],
    [{ attempt: 1, notBefore: T0 + 60_000 }, -5, 'attempt 2 is due in 1m'],
    [{ attempt: 1, node: 'w1-abc123' }, 1, 'claimed by w1, due in 1s'],
    [{ attempt: 1, node: 'gone-abc123' }, -5, 'attempt 1 was lost with its worker gone'],
  ])('the state of a firing %j due at %i s', async (record, second, state) => {
    cli.putWorker('w1-abc123');
    const id = due('a', second);
    cli.putFiring(id, record);
    const runId = `a/${new Date(id.dueMs).toISOString()}`;
    expect((await cli.run('runs', 'get', runId)).stdout).toContain(state);
  });

  test('an unknown one', async () => {
    const { code, stderr } = await cli.run('runs', 'get', 'a/2026-11-21T14:00:01.000Z');
    expect(code).toBe(1);
    expect(stderr).toContain('[ETCRON_RUN_NOT_FOUND]');
  });
});

describe('runs kill', () => {
  test('puts a request that says who and why', async () => {
    const id = due('a', 1);
    cli.putFiring(id, { attempt: 1, node: 'w1-abc123' });
    const { code } = await cli.run(
      'runs',
      'kill',
      'a/2026-11-21T14:00:01.000Z',
      '--reason',
      'wrong data',
      '--no-wait',
    );
    expect(code).toBe(0);
    expect(JSON.parse(cli.etcd.get(keys.kill(id))!.value.toString())).toMatchObject({
      reason: 'wrong data',
      by: expect.stringContaining('@') as string,
      at: new Date(T0).toISOString(),
    });
  });

  test('answers when it is over, and shows the end', async () => {
    const id = due('a', 1);
    cli.putFiring(id, { attempt: 1, node: 'w1-abc123' });
    cli.etcd.observe(({ events }) => {
      if (events.some((event) => event.type === 'put' && event.kv.key === keys.kill(id))) {
        setImmediate(() => cli.endRun(id, { outcome: 'killed' }));
      }
    });
    const { code, stdout } = await cli.run('runs', 'kill', 'a/2026-11-21T14:00:01.000Z');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^outcome +killed$/m);
  });

  test('one that is over, and one that never was', async () => {
    cli.putRun(due('a', 1));
    const over = await cli.run('runs', 'kill', 'a/2026-11-21T14:00:01.000Z');
    expect(over.code).toBe(1);
    expect(over.stderr).toMatch(/is over: succeeded \[ETCRON_CONFLICT\]/);
    const unknown = await cli.run('runs', 'kill', 'a/2026-11-21T14:00:02.000Z');
    expect(unknown.stderr).toContain('[ETCRON_RUN_NOT_FOUND]');
    expect(cli.etcd.range({ start: keys.kills, end: `${keys.kills}~` }).kvs).toEqual([]);
  });
});
