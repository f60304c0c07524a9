import { beforeEach, describe, expect, test } from 'vitest';
import { due, GOOD_JOB, keys, TestCli } from './support.js';

interface JobRow {
  name: string;
  state: string;
  next: string | null;
  last: { outcome: string } | null;
  problems: { path: string; line: number; column: number }[];
}

const YAML_JOB = `# nightly
schedule: "0 3 * * *"
timezone: Europe/Berlin
command: [backup, --all]
env: { TARGET: disk }
`;

let cli: TestCli;

beforeEach(() => {
  cli = new TestCli();
});

describe('jobs list', () => {
  test('never writes what a terminal would obey, in JSON neither, and JSON says the same', async () => {
    const name = 'x\u009b31m\u001b[2J\u202egnp';
    cli.putJob(name, '{}');
    // eslint-disable-next-line no-control-regex
    const obeyed = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;
    const json = await cli.run('jobs', 'list', '--json');
    expect(json.stdout).not.toMatch(obeyed);
    expect(json.json<{ jobs: JobRow[] }>().jobs.map((job) => job.name)).toEqual([name]);
    expect((await cli.run('jobs', 'list')).stdout).not.toMatch(obeyed);
  });

  test('says when each is due, how it went last, and what is wrong', async () => {
    cli.putJob('good', GOOD_JOB);
    cli.putJob('night', YAML_JOB);
    cli.putJob('sleepy', '{"schedule":"@hourly","command":"true","paused":true}');
    cli.putJob('broken', 'schedule: "61 * * * *"\ncomand: true\n');
    cli.putJob('bad name', GOOD_JOB);
    cli.putRun(due('good', -300), { outcome: 'succeeded' });
    cli.putRun(due('good', -10), { outcome: 'failed' });
    const { code, stdout, stderr } = await cli.run('jobs', 'list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NAME +SCHEDULE +ZONE +NEXT +LAST +STATE\n/);
    expect(stdout).toMatch(/^good +\*\/5 \* \* \* \* +UTC +in 5m +failed 10s ago +ok$/m);
    expect(stdout).toMatch(/^night +0 3 \* \* \* +Europe\/Berlin +in 12h +ok$/m);
    expect(stdout).toMatch(/^sleepy +@hourly +UTC +paused$/m);
    expect(stdout).toMatch(/^broken +broken$/m);
    expect(stdout).toMatch(/^ {2}broken:1:11 schedule: .*61/m);
    expect(stdout).toMatch(/^ {2}broken:2:1 comand: .*did you mean "command"\?/m);
    expect(stdout).toContain('"bad name" is not a job name');
    expect(stderr).toBe('5 jobs, 1 paused, 2 broken\n');
  });

  test('as JSON', async () => {
    cli.putJob('good', GOOD_JOB);
    cli.putJob('broken', 'nonsense');
    cli.putRun(due('good', -10), { outcome: 'failed' });
    const result = await cli.run('jobs', 'list', '--json');
    const { jobs } = result.json<{ jobs: JobRow[] }>();
    expect(result.stderr).toBe('');
    expect(jobs.map(({ name, state }) => `${name} ${state}`)).toEqual(['broken broken', 'good ok']);
    expect(jobs[0]!.problems[0]).toMatchObject({ line: 1, column: 1 });
    expect(jobs[1]!.next).toBe('2026-11-21T14:05:00.000Z');
    expect(jobs[1]!.last!.outcome).toBe('failed');
    const without = await cli.run('jobs', 'list', '--json', '--no-last');
    expect(without.json<{ jobs: JobRow[] }>().jobs[1]!.last).toBeNull();
  });

  test('nothing there', async () => {
    expect((await cli.run('jobs', 'list')).stdout).toContain('etcron apply');
    expect((await cli.run('jobs', 'list', '--json')).json()).toEqual({ jobs: [] });
  });

  test('what others put into etcd cannot drive the terminal', async () => {
    cli.putJob('evil', '"schedule\\u001b[31m": x');
    // eslint-disable-next-line no-control-regex
    expect((await cli.run('jobs', 'list')).stdout).not.toMatch(/\u001b/);
    // eslint-disable-next-line no-control-regex
    expect((await cli.run('jobs', 'get', 'evil')).stdout).not.toMatch(/\u001b/);
  });
});

describe('jobs get', () => {
  test('shows the definition, what is next, under way and past', async () => {
    cli.putJob('night', YAML_JOB);
    cli.putWorker('w1-abc123');
    cli.putFiring(due('night', -60), { attempt: 1, node: 'w1-abc123' });
    cli.putRun(due('night', -3600), { outcome: 'failed', reason: 'exit code 3', worker: 'w1', attempts: 1 });
    const { code, stdout } = await cli.run('jobs', 'get', 'night');
    expect(code).toBe(0);
    expect(stdout).toContain('At 03:00 (Europe/Berlin)');
    expect(stdout).toContain('timezone: Europe/Berlin');
    expect(stdout).toContain('Sun 2026-11-22 03:00:00 +01:00');
    expect(stdout).toMatch(/night\/2026-11-21T13:59:00.000Z +running on w1, attempt 1/);
    expect(stdout).toMatch(/night\/2026-11-21T13:00:00.000Z +failed .*exit code 3/);
    const json = (await cli.run('jobs', 'get', 'night', '--json')).json<Record<string, unknown>>();
    expect(json).toMatchObject({
      state: 'ok',
      definition: { command: ['backup', '--all'], env: { TARGET: 'disk' } },
      firings: [{ state: 'running', attempt: 1 }],
      runs: [{ outcome: 'failed', job: 'night' }],
    });
    expect(json.next).toHaveLength(5);
  });

  test('shows several schedules, and which one is next', async () => {
    cli.putJob('twice', '{"schedule":["0 7 * * mon-fri","0 10 * * sat,sun"],"command":"true"}');
    expect((await cli.run('jobs', 'list')).stdout).toMatch(
      /^twice +0 7 \* \* mon-fri; 0 10 \* \* sat,sun +UTC +in 20h +ok$/m,
    );
    const { stdout } = await cli.run('jobs', 'get', 'twice');
    expect(stdout).toMatch(
      /^when +At 07:00, Monday through Friday \(UTC\)\n +At 10:00, only on Saturday and Sunday/m,
    );
    expect(stdout).toMatch(/^Sun 2026-11-22 10:00:00 \+00:00 .* 0 10 \* \* sat,sun$/m);
  });

  test('shows what bounds the schedule', async () => {
    cli.putJob(
      'sales',
      '{"schedule":"@daily","command":"true","endAt":"2026-12-24","exclude":["sat","sun"]}',
    );
    const { stdout } = await cli.run('jobs', 'get', 'sales');
    expect(stdout).toMatch(/^when +At 00:00 \(UTC\)\n +until 2026-12-24; not on sat, sun$/m);
    expect(stdout).toMatch(/Next\n.*\nMon 2026-11-23 00:00:00/);
  });

  test('shows what is wrong with a broken one, with key path, line and column', async () => {
    cli.putJob('broken', 'schedule: "@daily"\ncommand: true\nretries:\n  dealy: 5s\n');
    const { code, stdout } = await cli.run('jobs', 'get', 'broken');
    expect(code).toBe(0);
    expect(stdout).toMatch(/broken:4:3 retries\.dealy: .*did you mean "delay"\?/);
    expect(stdout).toContain('  dealy: 5s');
    const json = (await cli.run('jobs', 'get', 'broken', '--json')).json();
    expect(json).toMatchObject({
      state: 'broken',
      definition: null,
      problems: [{ path: 'retries.dealy', line: 4, column: 3 }],
      value: expect.stringContaining('dealy') as string,
      next: [],
    });
  });

  test('an unknown name, with the one that was meant', async () => {
    cli.putJob('backup', GOOD_JOB);
    const { code, stderr } = await cli.run('jobs', 'get', 'bakcup');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'error: there is no job "bakcup" [ETCRON_JOB_NOT_FOUND]\nhint: Did you mean "backup"?\n',
    });
    const far = await cli.run('jobs', 'get', 'zzz', '--json');
    expect(JSON.parse(far.stderr)).toMatchObject({
      error: { code: 'ETCRON_JOB_NOT_FOUND', details: { near: [] } },
    });
  });
});

describe('jobs pause and resume', () => {
  test('keep everything else, in YAML too', async () => {
    cli.putJob('night', YAML_JOB);
    expect((await cli.run('jobs', 'pause', 'night')).stdout).toBe('paused night\n');
    const paused = JSON.parse(cli.job('night')!) as unknown;
    expect(paused).toEqual({
      schedule: '0 3 * * *',
      timezone: 'Europe/Berlin',
      command: ['backup', '--all'],
      env: { TARGET: 'disk' },
      paused: true,
    });
    expect((await cli.run('jobs', 'pause', 'night')).stdout).toBe('night is paused already\n');
    expect((await cli.run('jobs', 'resume', 'night', '--json')).json()).toEqual({
      jobs: [{ name: 'night', paused: false, changed: true }],
    });
    expect(JSON.parse(cli.job('night')!)).not.toHaveProperty('paused');
  });

  test('what somebody else writes in between is kept', async () => {
    cli.putJob('a', GOOD_JOB);
    let interfered = false;
    cli.intercept = ({ phase, method }) => {
      if (phase !== 'request' || method !== 'txn' || interfered) return;
      interfered = true;
      cli.putJob('a', '{"schedule":"@daily","command":"new"}');
    };
    expect((await cli.run('jobs', 'pause', 'a')).code).toBe(0);
    expect(JSON.parse(cli.job('a')!)).toEqual({ schedule: '@daily', command: 'new', paused: true });
  });

  test('give up when others never stop', async () => {
    cli.putJob('a', GOOD_JOB);
    cli.intercept = ({ phase, method }) => {
      if (phase === 'request' && method === 'txn') cli.putJob('a', GOOD_JOB);
    };
    const { code, stderr } = await cli.run('jobs', 'pause', 'a');
    expect(code).toBe(1);
    expect(stderr).toContain('[ETCRON_CONFLICT]');
    expect(cli.job('a')).toBe(GOOD_JOB);
  });

  test('a broken job is not rewritten', async () => {
    cli.putJob('broken', 'schedule: nope');
    const { code, stderr } = await cli.run('jobs', 'pause', 'broken');
    expect(code).toBe(2);
    expect(stderr).toMatch(/^\/cron\/jobs\/broken:1:1 command: is required/m);
    expect(cli.job('broken')).toBe('schedule: nope');
  });

  test('a slip in one name changes nothing', async () => {
    cli.putJob('a', GOOD_JOB);
    expect((await cli.run('jobs', 'pause', 'a', 'b')).code).toBe(1);
    expect(cli.job('a')).toBe(GOOD_JOB);
  });
});

describe('jobs delete', () => {
  test('deletes several, broken ones and those with bad names too', async () => {
    for (const name of ['a', 'b c', 'd']) cli.putJob(name, 'x');
    expect((await cli.run('jobs', 'delete', 'a', 'b c')).stdout).toBe('deleted a\ndeleted b c\n');
    expect([cli.job('a'), cli.job('b c'), cli.job('d')]).toEqual([undefined, undefined, 'x']);
  });

  test('deletes nothing when one name is unknown', async () => {
    cli.putJob('a', GOOD_JOB);
    const { code, stderr } = await cli.run('jobs', 'delete', 'a', 'aa');
    expect(code).toBe(1);
    expect(stderr).toContain('there is no job "aa"');
    expect(cli.job('a')).toBe(GOOD_JOB);
    expect(cli.etcd.get(keys.job('a'))!.version).toBe(1);
  });
});

describe('a job that will never be due again', () => {
  const show = async (...args: string[]): Promise<string> => (await cli.run(...args)).stdout;

  test('is done, and says why', async () => {
    cli.putJob('counted', '{"schedule":"* * * * *","command":"x","maxRuns":3}');
    cli.putJob('counting', '{"schedule":"* * * * *","command":"x","maxRuns":9}');
    cli.putJob('once', '{"schedule":"@at 2026-11-20T12:00:00Z","command":"x"}');
    for (const job of ['counted', 'counting']) {
      const of = cli.etcd.get(keys.job(job))!.createRevision;
      const value = JSON.stringify({ job: of, runs: 3, at: '2026-11-21T13:00:00.000Z' });
      cli.etcd.txn({ compare: [], success: [{ type: 'put', key: keys.count(job), value }] });
    }
    const list = await cli.run('jobs', 'list');
    expect(list.stdout).toMatch(/^counted .* done after 3 runs$/m);
    expect(list.stdout).toMatch(/^counting .* in 1m .* ok$/m);
    expect(list.stdout).toMatch(/^once .* done: never due again$/m);
    expect(list.stderr).toContain('3 jobs, 2 done');
    const counted = await show('jobs', 'get', 'counted');
    expect(counted).toMatch(/^state +done after 3 runs$/m);
    expect(counted).toMatch(/^runs +3 of 3$/m);
    expect(counted).not.toMatch(/^Next$/m);
    expect(await show('jobs', 'get', 'counting')).toMatch(/^runs +3 of 9$/m);
    const json = (await cli.run('jobs', 'get', 'counted', '--json')).json<Record<string, unknown>>();
    expect(json).toMatchObject({ state: 'done', runsCounted: 3, next: [] });
    expect((await cli.run('status')).stdout).toMatch(/^jobs +1 ok, 0 paused, 0 broken, 2 done$/m);
  });
});
