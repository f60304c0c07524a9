import { beforeEach, describe, expect, test } from 'vitest';
import { cursorRecordSchema } from '../../src/view/cursor-record.js';
import { encodeRecord } from '../../src/etcd/record.js';
import { put } from '../../src/etcd/txn.js';
import { due, GOOD_JOB, keys, T0, TestCli } from './support.js';

let cli: TestCli;

beforeEach(() => {
  cli = new TestCli();
});

describe('workers', () => {
  test('who they are, what they have and who leads', async () => {
    cli.putWorker('w1-abc123', { labels: { zone: 'eu' } });
    cli.putWorker('w2-abc123', { state: 'draining', capacity: 9 });
    cli.putLeader('w2-abc123');
    cli.putFiring(due('a', 1), { attempt: 1, node: 'w1-abc123' });
    const { code, stdout } = await cli.run('workers');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +w1 +w1-abc123 +h1 +7 +active +1\/4 +1m ago +zone=eu$/m);
    expect(stdout).toMatch(/^★ +w2 +w2-abc123 +h1 +7 +draining +0\/9 +1m ago$/m);
    expect((await cli.run('workers', '--json')).json()).toMatchObject({
      workers: [
        {
          node: 'w1-abc123',
          name: 'w1',
          load: 1,
          capacity: 4,
          leader: false,
          since: '2026-11-21T13:59:00.000Z',
        },
        { node: 'w2-abc123', state: 'draining', leader: true },
      ],
    });
  });

  test('one whose clock is off, which status names, too', async () => {
    cli.putWorker('w1-abc123');
    cli.putWorker('w2-abc123', { skewed: true });
    cli.putLeader('w1-abc123');
    expect((await cli.run('workers')).stdout).toMatch(/^ +w2 +w2-abc123 +h1 +7 +clock off +0\/4/m);
    const { code, stdout, stderr } = await cli.run('status');
    expect(code).toBe(0);
    expect(stdout).toContain('1 active, 0 draining, 1 clock off');
    expect(stdout + stderr).toContain('the clock of w2-abc123 is off');
  });

  test('none', async () => {
    expect((await cli.run('workers')).stdout).toContain('etcron worker');
  });
});

describe('status', () => {
  test('a healthy cluster', async () => {
    cli.putWorker('w1-abc123');
    cli.putLeader('w1-abc123');
    cli.putJob('a', GOOD_JOB);
    cli.putJob('b', '{"schedule":"@daily","command":"x","paused":true}');
    cli.putJob('c', 'nonsense');
    cli.putFiring(due('a', 10));
    cli.putFiring(due('a', -10));
    cli.putFiring(due('a', -20), { attempt: 1, node: 'w1-abc123' });
    cli.putFiring(due('a', -30), { attempt: 1, node: 'gone-abc123' });
    cli.putFiring(due('a', -40), { attempt: 1, notBefore: T0 + 5_000 });
    cli.putRun(due('a', -60), { outcome: 'failed', reason: 'exit code 9' });
    cli.putRun(due('a', -50));
    const cursor = {
      plannedThrough: { due: T0 + 13_000, job: null },
      jobsRevision: 1,
      at: T0,
      againThrough: null,
    };
    cli.etcd.txn({ compare: [], success: [put(keys.cursor, encodeRecord(cursorRecordSchema, cursor))] });
    const { code, stdout } = await cli.run('status');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^leader +w1-abc123 since 2026-11-21 13:59:30Z \(30s ago\)$/m);
    expect(stdout).toMatch(/^workers +1 active, 0 draining, load 1\/4$/m);
    expect(stdout).toMatch(/^jobs +1 ok, 1 paused, 1 broken$/m);
    expect(stdout).toMatch(/^firings +1 planned, 1 in flight, 2 late, 1 waiting for a retry$/m);
    expect(stdout).toMatch(/^planned +through 2026-11-21 14:00:13Z \(in 13s\)$/m);
    expect(stdout).toMatch(/^etcd +memory +3\.4\.23/m);
    expect(stdout).toMatch(/^a\/2026-11-21T13:59:00.000Z +failed +1m ago +exit code 9$/m);
    expect(stdout).toContain('✓ healthy');
    expect((await cli.run('status', '--json')).json()).toMatchObject({
      healthy: true,
      firings: { planned: 1, inFlight: 1, late: 2, waiting: 1 },
      plannedThrough: '2026-11-21T14:00:13.000Z',
      failures: [{ outcome: 'failed' }],
      etcd: [{ version: '3.4.23' }],
    });
  });

  test.each([
    ['no leader', () => cli.putWorker('w1-abc123'), 'nobody leads'],
    ['no worker', () => cli.putLeader('w1-abc123'), 'there is no active worker'],
    [
      'only a draining one',
      () => {
        cli.putLeader('w1-abc123');
        cli.putWorker('w1-abc123', { state: 'draining' });
      },
      'there is no active worker',
    ],
  ])('%s is not healthy', async (_, prepare, problem) => {
    prepare();
    const { code, stdout, stderr } = await cli.run('status');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toContain(`✗ ${problem}`);
    expect((await cli.run('status', '--json')).json()).toMatchObject({ healthy: false });
  });
});

describe('next', () => {
  test('describes a schedule and lists due times with what clock changes do', async () => {
    const { code, stdout } = await cli.run(
      ...['next', '30 2 * * *', '--tz', 'America/New_York', '--from', '2026-03-07', '-n', '2'],
    );
    expect(code).toBe(0);
    expect(stdout).toContain('At 02:30 (America/New_York)');
    expect(stdout).toContain('Sat 2026-03-07 02:30:00 -05:00  2026-03-07 07:30:00Z');
    expect(stdout).toMatch(/Sun 2026-03-08 03:00:00 -04:00 .* moved by the clock change/);
  });

  test('as JSON, from now, in UTC', async () => {
    expect((await cli.run('next', '@every 90s', '-n', '2', '--json')).json()).toMatchObject({
      timezone: 'UTC',
      from: '2026-11-21T14:00:00.000Z',
      due: [{ due: '2026-11-21T14:01:30.000Z', note: null }, { due: '2026-11-21T14:03:00.000Z' }],
    });
  });

  test('several together, and which one is due', async () => {
    const args = ['next', '0 7 * * mon-fri', '0 7,10 * * sun,mon', '--from', '2026-11-22', '-n', '4'];
    const { stdout } = await cli.run(...args);
    expect(stdout).toContain(
      '0 7 * * mon-fri  At 07:00, Monday through Friday (UTC)\n0 7,10 * * sun,mon  At ',
    );
    expect(stdout).toMatch(/^Sun 2026-11-22 07:00:00 \+00:00 .* 0 7,10 \* \* sun,mon$/m);
    expect(stdout).toMatch(/^Mon 2026-11-23 07:00:00 \+00:00 .* 0 7 \* \* mon-fri; 0 7,10 \* \* sun,mon$/m);
    expect((await cli.run(...args, '--json')).json()).toMatchObject({
      schedule: ['0 7 * * mon-fri', '0 7,10 * * sun,mon'],
      due: [{ schedules: ['0 7,10 * * sun,mon'] }, {}, { due: '2026-11-23T07:00:00.000Z' }, {}],
    });
  });

  test('what H stands for, of a job by name', async () => {
    const { code, stdout } = await cli.run('next', 'H 3 * * *', '--job', 'backup', '-n', '1');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^H 3 \* \* \* {2}At 03:\d\d \(UTC\)\n/);
    const nameless = await cli.run('next', 'H 3 * * *');
    expect(nameless.code).toBe(2);
    expect(nameless.stderr).toContain('hint: name the job (on the command line: --job backup)');
  });

  test('within bounds and without some days', async () => {
    const args = [
      'next',
      '0 7 * * *',
      '--tz',
      'Europe/Berlin',
      '--start-at',
      '2026-12-24',
      '--end-at',
      '2026-12-31',
    ];
    const days = ['--exclude', '2026-12-25', '--exclude', 'sat', '--exclude', 'sun'];
    const { code, stdout } = await cli.run(...args, ...days);
    expect(code).toBe(0);
    expect(stdout).toContain('\nfrom 2026-12-24; until 2026-12-31; not on 2026-12-25, sat, sun\n');
    expect([...stdout.matchAll(/^\w{3} (\d{4}-\d\d-\d\d) 07:00/gm)].map(([, date]) => date)).toEqual([
      '2026-12-24',
      '2026-12-28',
      '2026-12-29',
      '2026-12-30',
      '2026-12-31',
    ]);
    const wrong = await cli.run('next', '@daily', '--only', 'saturday');
    expect({ code: wrong.code, stderr: wrong.stderr }).toEqual({
      code: 2,
      stderr:
        'error: only must be a date, a range of dates or a weekday, not "saturday" [ETCRON_SCHEDULE_INVALID]\nhint: did you mean "sat"?\n',
    });
  });

  test('once', async () => {
    const { stdout } = await cli.run('next', '@at 2026-12-24T18:00', '--tz', 'Europe/Berlin');
    expect(stdout).toContain('Once, at 2026-12-24 18:00 (Europe/Berlin)');
    expect(stdout).toContain('Thu 2026-12-24 18:00:00 +01:00  2026-12-24 17:00:00Z');
    const past = await cli.run('next', '@at 2026-01-01T18:00');
    expect(past.stdout).toContain('It is never due after 2026-11-21');
  });

  test('one that is never due', async () => {
    const { code, stdout } = await cli.run('next', '0 0 30 2 *');
    expect(code).toBe(0);
    expect(stdout).toContain('never due');
  });

  test.each([
    [['61 * * * *'], 'ETCRON_SCHEDULE_INVALID'],
    [['* * * * *', '--tz', 'Europe/Berln'], 'ETCRON_TIMEZONE_INVALID'],
  ])('%j is bad input', async (args, code) => {
    const result = await cli.run('next', ...args);
    expect(result.code).toBe(2);
    expect(result.stderr).toContain(`[${code}]`);
  });
});
