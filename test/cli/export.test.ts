import fc from 'fast-check';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GOOD_JOB, TestCli } from './support.js';

const JOBS = {
  '5': GOOD_JOB,
  '10': GOOD_JOB,
  night: `# a comment that is lost
schedule: "0 3 * * *"
timezone: Europe/Berlin
command: |
  set -e
  echo "a: b" # c
env: { VERSION: 1.10, EMPTY: "", "ON": yes }
paused: true
misfire: all
labels: { b: "1", a: "null" }`,
  list: '{"schedule":"@every 90s","command":["echo","*","  x  ","~","0x1f","2026-01-01"],"retries":{"attempts":3}}',
};

describe('export', () => {
  test('round-trips: applied again it changes nothing', async () => {
    const cli = new TestCli();
    for (const [name, text] of Object.entries(JOBS)) cli.putJob(name, text);
    const { code, stdout, stderr } = await cli.run('export');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.match(/^ {2}\S.*:$/gm)).toEqual(['  "10":', '  "5":', '  list:', '  night:']);
    const again = await cli.runWith({ input: stdout }, 'apply', '-f', '-', '--dry-run');
    expect(again.stdout).toContain('0 to create, 0 to update, 4 unchanged');
    expect((await cli.run('export')).stdout).toBe(stdout);

    const other = new TestCli();
    expect((await other.runWith({ input: stdout }, 'apply', '-f', '-')).code).toBe(0);
    expect((await other.run('export')).stdout).toBe(stdout);
    expect(JSON.parse(other.job('night')!)).toMatchObject({ paused: true, env: { VERSION: '1.10' } });
  });

  test('--json is a file of jobs as well', async () => {
    const cli = new TestCli();
    for (const [name, text] of Object.entries(JOBS)) cli.putJob(name, text);
    const { stdout } = await cli.run('export', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ jobs: { list: { retries: { attempts: 3 } } } });
    const again = await cli.runWith({ input: stdout }, 'apply', '-f', '-', '--dry-run');
    expect(again.stdout).toContain('4 unchanged');
  });

  test('whatever a command or a variable holds', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.constantFrom(
        ' ',
        '\n',
        ' \n x\n\n',
        '\t',
        '- a',
        '# x',
        'null',
        '1e3',
        '"',
        "'",
        '{',
        '%',
        '&a',
        '\u2028',
        '\u001b[0m',
        'é\n\n  y ',
      ),
    );
    const job = fc.record({
      schedule: fc.constant('@daily'),
      command: fc.oneof(
        text.filter((value) => value.trim() !== ''),
        fc.array(text, { minLength: 1, maxLength: 4 }).filter(([first]) => first !== ''),
      ),
      env: fc.dictionary(fc.constantFrom('A', 'B', 'yes', 'null', '_'), text),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(job, { minLength: 1, maxLength: 5 }), async (jobs) => {
        const cli = new TestCli();
        for (const [index, value] of jobs.entries()) cli.putJob(`j${index}`, JSON.stringify(value));
        const { code, stdout } = await cli.run('export');
        expect(code).toBe(0);
        const again = await cli.runWith({ input: stdout }, 'apply', '-f', '-', '--dry-run');
        expect(again.stdout).toContain(`0 to create, 0 to update, ${jobs.length} unchanged`);
      }),
      { numRuns: 40 },
    );
  });

  test('leaves broken jobs out, lists them, and exits with 2', async () => {
    const cli = new TestCli();
    cli.putJob('good', GOOD_JOB);
    cli.putJob('bad', 'schedule: "@dayly"\ncommand: x\n');
    const { code, stdout, stderr } = await cli.run('export');
    expect(code).toBe(2);
    expect(stdout).toBe('jobs:\n  good:\n    schedule: "*/5 * * * *"\n    command: "true"\n');
    expect(stderr).toContain('/cron/jobs/bad:1:11 schedule: ');
    expect(stderr).toMatch(/error: 1 broken job left out \[ETCRON_JOB_INVALID\]\nhint: /);
    expect((await cli.run('export', 'good')).code).toBe(0);
    const json = await cli.run('export', '--json');
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stderr)).toMatchObject({
      error: { details: { problems: [{ source: '/cron/jobs/bad' }] } },
    });
  });

  test('some of the jobs: by name, by set', async () => {
    const cli = new TestCli();
    cli.putJob('a', GOOD_JOB);
    cli.putJob('b', GOOD_JOB);
    const input = 'jobs: { c: { schedule: "@daily", command: x } }';
    await cli.runWith({ input }, 'apply', '-f', '-', '--set', 'team');
    const names = async (...args: string[]) =>
      Object.keys((await cli.run('export', '--json', ...args)).json<{ jobs: object }>().jobs);
    expect(await names()).toEqual(['a', 'b', 'c']);
    expect(await names('b', 'a', 'b')).toEqual(['a', 'b']);
    expect(await names('--set', 'team')).toEqual(['c']);
    expect(await names('--set', 'team', 'a')).toEqual([]);
    const missing = await cli.run('export', 'a', 'bb');
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toContain('[ETCRON_JOB_NOT_FOUND]');
  });

  test('an empty cluster is a file that apply takes', async () => {
    const cli = new TestCli();
    const { stdout } = await cli.run('export');
    expect((await cli.runWith({ input: stdout }, 'apply', '-f', '-')).code).toBe(0);
  });

  test('-o writes a new file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'etcron-export-'));
    try {
      const cli = new TestCli();
      cli.putJob('a', GOOD_JOB);
      const path = join(folder, 'jobs.yaml');
      expect(await cli.run('export', '-o', path)).toMatchObject({ code: 0, stdout: '' });
      expect(await readFile(path, 'utf8')).toMatch(/^jobs:\n {2}a:/);
      expect((await cli.run('export', '-o', path)).stderr).toContain('[ETCRON_FILE_EXISTS]');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('says when the file is larger than apply takes', async () => {
    const cli = new TestCli();
    const job = JSON.stringify({ schedule: '@daily', command: 'x'.repeat(60_000) });
    for (let index = 0; index < 20; index += 1) cli.putJob(`j${index}`, job);
    const { code, stderr } = await cli.run('export');
    expect(code).toBe(1);
    expect(stderr).toContain('larger than apply takes');
  });
});
