import { beforeEach, describe, expect, test } from 'vitest';
import type { LimitUsage } from '../../src/operations/limit-usage.js';
import { formatRunId } from '../../src/etcd/keys.js';
import { keys, T0, TestCli } from './support.js';

let cli: TestCli;
const job = (more: Record<string, unknown>): string =>
  JSON.stringify({ schedule: '0 * * * *', command: 'x', ...more });
const at = (name: string, beforeMs: number) => ({ job: name, dueMs: T0 - beforeMs, suffix: null });
const sizeOf = (name: string): string | undefined => cli.etcd.get(keys.limit(name))?.value.toString();

beforeEach(() => {
  cli = new TestCli();
  cli.putLeader('w1-a');
  cli.putWorker('w1-a');
  cli.putJob('a', job({ limits: ['db'] }));
  cli.putJob('b', job({ limits: ['db', 'gpu'], overlap: 'queue' }));
});

describe('limits', () => {
  test('are set, shown with who holds them and who waits, and deleted', async () => {
    expect((await cli.run('limits', 'set', 'db', '1')).stdout).toBe('db: 1\n');
    expect((await cli.run('limits', 'set', 'db', '2')).stdout).toBe('db: 2 (was 1)\n');
    expect(sizeOf('db')).toBe('{"size":2}');
    await cli.run('limits', 'set', 'spare', '5');
    cli.putFiring(at('a', 60_000), { attempt: 1, node: 'w1-a', slot: 0, limitSlots: { db: 0 } });
    cli.putFiring(at('b', 30_000), { waiting: true });
    const { stdout, stderr } = await cli.run('limits', 'list');
    const held = formatRunId(at('a', 60_000));
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['LIMIT', 'SIZE', 'HELD', 'WAITING', 'BY', 'JOBS'],
      ['db', '2', '1', '1', held, 'a, b'],
      ['gpu', 'none', '0', '1', '', 'b'].filter((cell) => cell !== ''),
      ['spare', '5', '0', '0'],
      [''],
    ]);
    expect(stderr).toContain('Nothing runs under a limit that has no size.');
    expect((await cli.run('limits', 'list', '--json')).json<{ limits: LimitUsage[] }>().limits[0]).toEqual({
      ...{ name: 'db', size: 2, problem: null, held: [held], waiting: 1, jobs: ['a', 'b'] },
      waitingRuns: [formatRunId(at('b', 30_000))],
    });
    expect((await cli.run('limits', 'delete', 'spare')).stdout).toBe('deleted spare\n');
    expect(sizeOf('spare')).toBeUndefined();
  });

  test('are not deleted while jobs name them, unless forced', async () => {
    await cli.run('limits', 'set', 'db', '1');
    const refused = await cli.run('limits', 'delete', 'db');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('the limit "db" is named by a, b [ETCRON_CONFLICT]');
    expect(sizeOf('db')).toBe('{"size":1}');
    expect((await cli.run('limits', 'delete', 'db', '--force')).code).toBe(0);
    const unknown = await cli.run('limits', 'delete', 'db');
    expect(unknown.stderr).toContain('there is no limit "db" [ETCRON_LIMIT_NOT_FOUND]');
  });

  test('want a good name and a whole size', async () => {
    expect((await cli.run('limits', 'set', 'a/b', '1')).code).toBe(2);
    expect((await cli.run('limits', 'set', 'db', 'many')).code).toBe(2);
    expect((await cli.run('limits', 'set', 'db', '100001')).code).toBe(2);
    expect(sizeOf('db')).toBeUndefined();
  });

  test('can be a plain number that somebody put there; anything else is shown as damaged', async () => {
    cli.etcd.txn({ compare: [], success: [{ type: 'put', key: keys.limit('db'), value: '7' }] });
    cli.etcd.txn({ compare: [], success: [{ type: 'put', key: keys.limit('gpu'), value: '"7"' }] });
    const { stdout } = await cli.run('limits', 'list');
    expect(stdout).toMatch(/^db +7 /m);
    expect(stdout).toMatch(/^gpu +damaged: .*must be \{"size": N\} or N/m);
  });
});

describe('what waits says why', () => {
  test('a full limit, one without a size, a queue', async () => {
    await cli.run('limits', 'set', 'db', '1');
    cli.putFiring(at('a', 60_000), { attempt: 1, node: 'w1-a', slot: 0, limitSlots: { db: 0 } });
    cli.putFiring(at('b', 30_000), { waiting: true });
    const run = formatRunId(at('b', 30_000));
    expect((await cli.run('runs', 'get', run)).stdout).toContain('waiting (limit db is full), due 30s ago');
    expect((await cli.run('runs', 'get', run, '--json')).json()).toMatchObject({
      ...{ state: 'queued', why: 'limit db is full' },
    });
    expect((await cli.run('jobs', 'get', 'b')).stdout).toContain('waiting (limit db is full)');
    const status = await cli.run('status');
    expect(status.stdout).toContain('1 waiting for their turn');
    expect(status.stdout).toMatch(
      new RegExp(`^Waiting for their turn\\n.*\\n${run.replace('+', '.')} +waiting`, 'm'),
    );

    await cli.run('limits', 'set', 'db', '2');
    expect((await cli.run('runs', 'get', run)).stdout).toContain('waiting (limit gpu has no size)');
    expect((await cli.run('status')).stdout).toContain('✗ the limit gpu has no size: nothing runs under it');

    cli.putFiring(at('b', 90_000), { attempt: 1, node: 'w1-a', slot: 0, limitSlots: { db: 1 } });
    cli.putFiring(at('b', 20_000), { waiting: true });
    const last = formatRunId(at('b', 20_000));
    expect((await cli.run('runs', 'get', last)).stdout).toContain('waiting (overlap: queue, 1 before it)');
  });
});
