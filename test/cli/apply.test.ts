import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MAX_TXN_OPERATIONS, type Txn } from '../../src/etcd/store.js';
import { unreachable } from '../../src/testing/refusals.js';
import { GOOD_JOB, keys, TestCli } from './support.js';

let folder: string;
let cli: TestCli;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'etcron-apply-'));
});

afterAll(() => rm(folder, { recursive: true }));

beforeEach(() => {
  cli = new TestCli();
});

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

/** A job that the set of the tests manages, and that is in none of their files. */
async function putByApply(name: string): Promise<void> {
  await cli.runWith({ input: `jobs: { ${name}: ${GOOD_JOB} }` }, 'apply', '-f', '-');
}

function jobNames(): string[] {
  const { kvs } = cli.etcd.range({ start: keys.jobs, end: `${keys.jobs.slice(0, -1)}0` });
  return kvs.map(({ key }) => key.slice(keys.jobs.length));
}

const TWO_JOBS = `jobs:
  a: { schedule: "@daily", command: "true" }
  b: { schedule: "@hourly", command: "true" }
`;

describe('apply', () => {
  test('shows the difference and makes it so, once', async () => {
    const path = await file('two.yaml', TWO_JOBS);
    cli.putJob('b', '{"schedule":"@daily","command":"true"}');
    cli.putJob('other', GOOD_JOB);
    const first = await cli.run('apply', '-f', path);
    expect(first.code).toBe(0);
    expect(first.stdout).toContain('+ a\n');
    expect(first.stdout).toContain('~ schedule: "@daily" → "@hourly"');
    expect(first.stdout).toContain('1 to create, 1 to update, 0 unchanged');
    expect(first.stdout).toContain('applied 2 changes');
    expect(JSON.parse(cli.job('a')!)).toEqual({ schedule: '@daily', command: 'true' });
    expect(JSON.parse(cli.job('b')!)).toEqual({ schedule: '@hourly', command: 'true' });
    expect(jobNames()).toContain('other');
    const { revision } = cli.etcd;
    const second = await cli.run('apply', '-f', path);
    expect(second.stdout).toBe('0 to create, 0 to update, 2 unchanged\n');
    expect(cli.etcd.revision).toBe(revision);
  });

  test('--dry-run changes nothing, not even with --prune', async () => {
    const path = await file('two.yaml', TWO_JOBS);
    await putByApply('other');
    const { code, stdout, stderr } = await cli.run('apply', '-f', path, '--dry-run', '--prune');
    expect(code).toBe(0);
    expect(stdout).toContain('- other');
    expect(stderr).toContain('Dry run');
    expect(jobNames()).toEqual(['other']);
    const json = (await cli.run('apply', '-f', path, '--dry-run', '--prune', '--json')).json();
    expect(json).toMatchObject({
      dryRun: true,
      applied: 0,
      changes: [
        { kind: 'create', name: 'a' },
        { kind: 'create', name: 'b' },
        { kind: 'delete', name: 'other' },
      ],
    });
  });

  test('a file with a problem changes nothing and needs no etcd', async () => {
    const path = await file('bad.yaml', `${TWO_JOBS}  c: { schedule: "@dayly", command: "true" }\n`);
    const { code, stdout, stderr } = await cli.run('apply', '-f', path);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`${path}:4:18 jobs.c.schedule: `);
    expect(stderr).toContain(`error: 1 problem in ${path} [ETCRON_JOB_INVALID]`);
    expect(cli.stores).toHaveLength(0);
  });

  test('from stdin', async () => {
    expect((await cli.runWith({ input: TWO_JOBS }, 'apply', '-f', '-')).code).toBe(0);
    expect(jobNames()).toEqual(['a', 'b']);
  });

  test('a pause that the file does not mention stays', async () => {
    const path = await file('two.yaml', TWO_JOBS);
    cli.putJob('a', '{"schedule":"@hourly","command":"true","paused":true}');
    expect((await cli.run('apply', '-f', path)).stdout).toContain('stays paused');
    expect(JSON.parse(cli.job('a')!)).toMatchObject({ schedule: '@daily', paused: true });
  });

  test('--prune asks on a terminal, and refuses where there is none', async () => {
    const path = await file('two.yaml', TWO_JOBS);
    await putByApply('other');
    const refused = await cli.run('apply', '-f', path, '--prune');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/no terminal.*\[ETCRON_USAGE\]\nhint: Pass --yes/);
    const no = await cli.runWith({ input: 'n\n', isTTY: true }, 'apply', '-f', path, '--prune');
    expect(no.code).toBe(1);
    expect(no.stderr).toContain('Delete 1 job? [y/N]');
    expect(jobNames()).toEqual(['other']);
    const yes = await cli.runWith({ input: 'y\n', isTTY: true }, 'apply', '-f', path, '--prune');
    expect(yes.code).toBe(0);
    expect(jobNames()).toEqual(['a', 'b']);
    await putByApply('other');
    expect((await cli.run('apply', '-f', path, '--prune', '--yes')).code).toBe(0);
    expect(jobNames()).toEqual(['a', 'b']);
    expect((await cli.run('apply', '-f', path, '--prune')).code).toBe(0);
  });

  test.each([
    ['changed', () => cli.putJob('b', '{"schedule":"@yearly","command":"theirs"}')],
    ['deleted', () => cli.etcd.txn({ compare: [], success: [{ type: 'delete', key: keys.job('b') }] })],
  ])('what somebody else %s in between is not overwritten', async (_, interfere) => {
    const path = await file('two.yaml', TWO_JOBS);
    cli.putJob('b', GOOD_JOB);
    let done = false;
    cli.intercept = ({ phase, method }) => {
      if (phase !== 'request' || method !== 'txn' || done) return;
      done = true;
      interfere();
    };
    const { code, stderr } = await cli.run('apply', '-f', path);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /somebody else changed "b" in the meantime; nothing was applied \[ETCRON_CONFLICT\]\nhint: /,
    );
    expect(cli.job('a')).toBeUndefined();
    expect(cli.job('b') ?? '').not.toContain('@hourly');
  });

  test('many jobs take few transactions', async () => {
    const jobs = Array.from(
      { length: 300 },
      (_, index) => `  j${index}: { schedule: "@daily", command: "true" }`,
    );
    const path = await file('many.yaml', `jobs:\n${jobs.join('\n')}\n`);
    const sizes: number[] = [];
    cli.intercept = ({ phase, method, args }) => {
      if (phase === 'request' && method === 'txn') sizes.push((args[0] as Txn).success.length);
    };
    expect((await cli.run('apply', '-f', path)).code).toBe(0);
    // Each job takes two of them, one for the mark of its set; and one is the audit record.
    expect(sizes).toEqual([...Array<number>(4).fill(126 + 1), 600 - 4 * 126 + 1]);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_TXN_OPERATIONS);
    expect(jobNames()).toHaveLength(300);
  });

  test('large jobs stay below the size of a request', async () => {
    const command = 'x'.repeat(60_000);
    const jobs = Array.from(
      { length: 40 },
      (_, index) => `  j${index}: { schedule: "@daily", command: "${command}" }`,
    );
    const paths = await Promise.all(
      [0, 1, 2, 3].map((part) =>
        file(`large${part}.yaml`, `jobs:\n${jobs.slice(part * 10, part * 10 + 10).join('\n')}\n`),
      ),
    );
    const sizes: number[] = [];
    cli.intercept = ({ phase, method, args }) => {
      if (phase !== 'request' || method !== 'txn') return;
      sizes.push(Buffer.byteLength(JSON.stringify((args[0] as Txn).success)));
    };
    expect((await cli.run('apply', ...paths.flatMap((path) => ['-f', path]))).code).toBe(0);
    expect(Math.max(...sizes)).toBeLessThan(1.2 * 1024 * 1024);
    expect(jobNames()).toHaveLength(40);
  });

  test('half-way through, it says how far it came', async () => {
    const jobs = Array.from(
      { length: 200 },
      (_, index) => `  j${index}: { schedule: "@daily", command: "true" }`,
    );
    const path = await file('many.yaml', `jobs:\n${jobs.join('\n')}\n`);
    let txns = 0;
    cli.intercept = ({ phase, method }) => {
      if (phase === 'reply' && method === 'txn' && ++txns === 2) throw unreachable('gone', true);
    };
    const { code, stderr } = await cli.run('apply', '-f', path);
    expect(code).toBe(3);
    expect(stderr).toContain('63 of 200 changes were applied, and perhaps the next ones');
    expect(jobNames()).toHaveLength(126);
    cli.intercept = undefined;
    expect((await cli.run('apply', '-f', path)).stdout).toContain('74 to create, 0 to update, 126 unchanged');
  });
});

describe('a job that is never due again', () => {
  const PAST = `jobs:
  gone: { schedule: '@at 2026-11-21T13:59', command: x }
  over: { schedule: '@daily', endAt: 2026-10-01, command: x }
  good: { schedule: '@at 2026-11-21T14:01', command: x }
`;
  const WARNINGS =
    'warning: the job gone is never due again; the last time was 2026-11-21 13:59:00Z\n' +
    'warning: the job over is never due again; the last time was 2026-10-01 00:00:00Z\n';

  test('is a warning of validate and of apply, which do their work', async () => {
    const path = await file('past.yaml', PAST);
    const validated = await cli.run('validate', '-f', path);
    expect(validated).toMatchObject({ code: 0, stderr: WARNINGS });
    expect((await cli.run('validate', '-f', path, '--json')).json()).toMatchObject({
      valid: true,
      warnings: [expect.stringContaining('gone') as string, expect.stringContaining('over') as string],
    });
    const applied = await cli.run('apply', '-f', path);
    expect(applied.code).toBe(0);
    expect(applied.stderr).toContain(WARNINGS);
    expect(jobNames()).toEqual(['gone', 'good', 'over']);
  });
});

describe('validate', () => {
  test('good files', async () => {
    const path = await file('two.yaml', TWO_JOBS);
    const { code, stdout } = await cli.run('validate', '-f', path);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '✓ 2 jobs in 1 file\n' });
    expect((await cli.run('validate', '-f', path, '--json')).json()).toEqual({
      valid: true,
      jobs: ['a', 'b'],
      problems: [],
      warnings: [],
    });
    expect(cli.stores).toHaveLength(0);
  });

  test('all problems of all files at once', async () => {
    const one = await file('one.yaml', 'jobs:\n  a:\n    schedule: "@daily"\n    comand: x\n');
    const two = await file(
      'two-bad.yaml',
      'jobs:\n  a: { schedule: "@daily", command: x, retries: { delay: 5 } }\n',
    );
    const missing = join(folder, 'missing.yaml');
    const { code, stdout, stderr } = await cli.run('validate', '-f', one, '-f', two, '-f', missing);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(`${one}:4:5 jobs.a.comand: is not a field of a job (did you mean "command"?)`);
    expect(stderr).toMatch(new RegExp(`${two}:2:\\d+ jobs\\.a\\.retries\\.delay: must be a duration`));
    expect(stderr).toContain(`${missing}: cannot be read: there is no such file`);
    expect(stderr).toMatch(/error: \d problems in 3 files \[ETCRON_JOB_INVALID\]/);
    const json = await cli.run('validate', '-f', one, '--json');
    expect(json.code).toBe(2);
    expect(json.stderr).toBe('');
    expect(json.json()).toMatchObject({
      valid: false,
      problems: expect.arrayContaining([
        expect.objectContaining({ line: 4, column: 5, source: one }),
      ]) as unknown,
    });
  });

  test('a file that cannot be read', async () => {
    const { code, stderr } = await cli.run('validate', '-f', join(folder, 'missing.yaml'));
    expect(code).toBe(2);
    expect(stderr).toContain('[ETCRON_FILE_UNREADABLE]');
  });
});
