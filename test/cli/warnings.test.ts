/** What is valid and hardly meant, and jobs that no worker can run. */
import { beforeEach, describe, expect, test } from 'vitest';
import { keys, TestCli } from './support.js';

let cli: TestCli;

beforeEach(() => {
  cli = new TestCli();
});

const GPU = 'jobs: { gpu: { schedule: "@daily", command: "true", target: { with: { gpu: "*" } } } }';
const SLOW = 'jobs: { slow: { schedule: "*/5 * * * *", command: "true", timeout: 10m } }';

describe('warnings', () => {
  test('of a timeout that is longer than the time between two due times', async () => {
    const { code, stderr } = await cli.runWith({ input: SLOW }, 'validate', '-f', '-');
    expect(code).toBe(0);
    expect(stderr).toContain(
      'the timeout of the job slow of 10m is longer than the 5m between its due times',
    );
    const other = SLOW.replace('timeout: 10m', 'timeout: 10m, overlap: queue');
    expect((await cli.runWith({ input: other }, 'validate', '-f', '-')).stderr).toBe('');
    const shorter = SLOW.replace('10m', '5m');
    expect((await cli.runWith({ input: shorter }, 'validate', '-f', '-')).stderr).toBe('');
  });

  test('of a removeAfter of a job that is due for ever', async () => {
    const validate = async (fields: string): Promise<string> => {
      const input = `jobs: { a: { command: "true", removeAfter: 1d, ${fields} } }`;
      return (await cli.runWith({ input }, 'validate', '-f', '-')).stderr;
    };
    expect(await validate('schedule: "@daily"')).toContain(
      'the job a is due for ever, so that its removeAfter',
    );
    for (const end of ['endAt: 2027-01-01', 'maxRuns: 3', 'only: 2027-01-01..2027-01-05'])
      expect(await validate(`schedule: "@daily", ${end}`)).toBe('');
    expect(await validate('schedule: "@at 2027-01-01T00:00:00"')).toBe('');
  });

  test('are errors with --strict', async () => {
    const text = await cli.runWith({ input: SLOW }, 'validate', '-f', '-', '--strict');
    expect(text.code).toBe(2);
    expect(text.stderr).toMatch(
      /error: 1 warning:\nthe timeout of the job slow.*\[ETCRON_WARNINGS\]\nhint: /s,
    );
    const json = await cli.runWith({ input: SLOW }, 'validate', '-f', '-', '--strict', '--json');
    expect(json.code).toBe(2);
    expect(json.json()).toMatchObject({ valid: true, warnings: [expect.stringContaining('slow')] });
    const apply = await cli.runWith({ input: SLOW }, 'apply', '-f', '-', '--strict');
    expect(apply.code).toBe(2);
    expect(cli.etcd.get(keys.job('slow'))).toBeNull();
  });

  test('of a job that no worker can run now, where there are workers', async () => {
    expect((await cli.runWith({ input: GPU }, 'apply', '-f', '-', '--strict', '--dry-run')).code).toBe(0);
    cli.putWorker('w1-abc123', { labels: { disk: 'ssd' } });
    const { code, stderr } = await cli.runWith({ input: GPU }, 'apply', '-f', '-', '--strict');
    expect(code).toBe(2);
    expect(stderr).toContain('no worker can run the job gpu now: a worker has no label gpu');
    expect(cli.etcd.get(keys.job('gpu'))).toBeNull();
    expect((await cli.runWith({ input: GPU }, 'apply', '-f', '-')).code).toBe(0);
    expect(cli.etcd.get(keys.job('gpu'))).not.toBeNull();
    cli.putWorker('w2-abc123', { labels: { gpu: 'a' } });
    expect((await cli.runWith({ input: GPU }, 'apply', '-f', '-', '--strict')).code).toBe(0);
  });

  test('of a limit that lets nothing run', async () => {
    const text = 'jobs: { a: { schedule: "@daily", command: "true", limits: [db, mail] } }';
    const put = (name: string, value: string): void =>
      void cli.etcd.txn({ compare: [], success: [{ type: 'put', key: keys.limits + name, value }] });
    put('mail', '{"size":2}');
    const { stderr } = await cli.runWith({ input: text }, 'apply', '-f', '-', '--dry-run');
    expect(stderr).toContain('the limit db of the job a lets nothing run: "etcron limits set db <size>"');
    expect(stderr).not.toContain('the limit mail');
    put('db', '1');
    expect((await cli.runWith({ input: text }, 'apply', '-f', '-', '--strict')).code).toBe(0);
  });
});

describe('a job that no worker can run', () => {
  beforeEach(async () => {
    cli.putWorker('w1-abc123', { labels: { disk: 'ssd' } });
    cli.putLeader('w1-abc123');
    await cli.runWith({ input: GPU }, 'apply', '-f', '-');
    cli.putJob('paused', '{"schedule":"@daily","command":"x","weight":99,"paused":true}');
    cli.putJob('mail', '{"schedule":"@daily","handler":"mail"}');
  });

  test('is in the status', async () => {
    const { code, stdout } = await cli.run('status');
    expect(code).toBe(0);
    expect(stdout).toMatch(/No worker can run\n *JOB +WHY\n *gpu +a worker has no label gpu\n/);
    expect(stdout).toMatch(/^ *mail +a worker has no handler mail$/m);
    expect(stdout).toContain('✗ 2 jobs cannot run as things are: gpu, mail');
    expect((await cli.run('status', '--json')).json()).toMatchObject({
      unplaceable: [
        { name: 'gpu', reason: 'a worker has no label gpu' },
        { name: 'mail', reason: 'a worker has no handler mail' },
      ],
    });
  });

  test('says so itself', async () => {
    expect((await cli.run('jobs', 'get', 'gpu')).stdout).toMatch(/^cannot run +a worker has no label gpu$/m);
    expect((await cli.run('jobs', 'get', 'paused')).stdout).not.toContain('cannot run');
    expect((await cli.run('jobs', 'get', 'gpu', '--json')).json()).toMatchObject({
      cannotRun: 'a worker has no label gpu',
    });
  });
});

describe('workers', () => {
  test('show their handlers where there are any, and the weight of what they run', async () => {
    cli.putWorker('w1-abc123', { labels: { disk: 'ssd' }, capacity: 8 });
    cli.putJob('heavy', '{"schedule":"@daily","command":"x","weight":5}');
    cli.putFiring({ job: 'heavy', dueMs: 0, suffix: null }, { attempt: 1, node: 'w1-abc123' });
    const before = (await cli.run('workers')).stdout;
    expect(before).not.toContain('HANDLERS');
    expect(before).toMatch(/w1-abc123 .* 5\/8 /);
    cli.putWorker('w2-abc123', { handlers: ['mail', 'report'] });
    expect((await cli.run('workers')).stdout).toMatch(/ HANDLERS\n(.*\n)*.*w2-abc123.* mail report$/m);
  });
});
