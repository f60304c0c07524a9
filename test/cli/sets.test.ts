import { beforeEach, describe, expect, test } from 'vitest';
import { GOOD_JOB, keys, TestCli, type CliResult } from './support.js';

let cli: TestCli;

beforeEach(() => {
  cli = new TestCli();
});

/** Applies a file with these jobs; a number is the minute at which the job is due. */
function apply(jobs: Record<string, number>, ...args: string[]): Promise<CliResult> {
  const lines = Object.entries(jobs).map(
    ([name, minute]) => `  ${name}: { schedule: '${minute} * * * *', command: x }`,
  );
  const input = lines.length === 0 ? 'jobs: {}\n' : `jobs:\n${lines.join('\n')}\n`;
  return cli.runWith({ input }, 'apply', '-f', '-', ...args);
}

function jobNames(): string[] {
  const { kvs } = cli.etcd.range({ start: keys.jobs, end: `${keys.jobs.slice(0, -1)}0` });
  return kvs.map(({ key }) => key.slice(keys.jobs.length));
}

function markOf(job: string): string | undefined {
  return cli.etcd.get(keys.setOf(job))?.value.toString('utf8');
}

function deleteKey(key: string): void {
  cli.etcd.txn({ compare: [], success: [{ type: 'delete', key }] });
}

const PRUNE = ['--prune', '--yes'];

describe('apply --prune', () => {
  test('deletes what the same set put there, and nothing else', async () => {
    cli.putJob('by-hand', GOOD_JOB);
    await apply({ a: 1, b: 2 });
    await apply({ c: 3 }, '--set', 'team');
    const { code, stdout } = await apply({ a: 1 }, ...PRUNE);
    expect(code).toBe(0);
    expect(stdout).toContain('- b\n');
    expect(jobNames()).toEqual(['a', 'by-hand', 'c']);
    expect(markOf('b')).toBeUndefined();
    await apply({}, '--set', 'team', ...PRUNE);
    expect(jobNames()).toEqual(['a', 'by-hand']);
    await apply({}, '--set', 'nobody', ...PRUNE);
    expect(jobNames()).toEqual(['a', 'by-hand']);
  });

  test('leaves a job alone that was deleted and put there anew by other means', async () => {
    await apply({ a: 1, b: 2 });
    deleteKey(keys.job('a'));
    cli.putJob('a', GOOD_JOB);
    const { stdout } = await apply({ b: 2 }, ...PRUNE);
    expect(stdout).not.toContain('- a');
    expect(jobNames()).toEqual(['a', 'b']);
    // A definition that was overwritten is still the set's.
    cli.putJob('b', GOOD_JOB);
    await apply({}, ...PRUNE);
    expect(jobNames()).toEqual(['a']);
  });

  test('forgets the set with "jobs delete"', async () => {
    await apply({ a: 1 });
    expect(markOf('a')).toBe('{"set":"default"}');
    await cli.run('jobs', 'delete', 'a');
    expect(markOf('a')).toBeUndefined();
  });

  test.each(['', 'x', '{"set":5}', 'null'])('never by a mark that says %j', async (value) => {
    await apply({ a: 1 });
    cli.etcd.txn({ compare: [], success: [{ type: 'put', key: keys.setOf('a'), value }] });
    await apply({}, ...PRUNE);
    expect(jobNames()).toEqual(['a']);
    expect((await apply({ a: 1 })).code).toBe(0);
    expect(markOf('a')).toBe('{"set":"default"}');
  });
});

describe('a job that was there already', () => {
  test('comes to be managed, once, though it is unchanged', async () => {
    cli.putJob('a', '{"schedule":"1 * * * *","command":"x"}');
    const modified = cli.etcd.get(keys.job('a'))!.modRevision;
    const dry = await apply({ a: 1 }, '--dry-run');
    expect(dry.stdout).toContain('comes to be managed by the set "default": a\n');
    expect(markOf('a')).toBeUndefined();
    const first = await apply({ a: 1 });
    expect(first.stdout).toBe(
      '0 to create, 0 to update, 1 unchanged\ncomes to be managed by the set "default": a\n',
    );
    expect(cli.etcd.get(keys.job('a'))!.modRevision).toBe(modified);
    expect((await apply({ a: 1 })).stdout).toBe('0 to create, 0 to update, 1 unchanged\n');
    await apply({}, ...PRUNE);
    expect(jobNames()).toEqual([]);
  });

  test('pause and resume leave it with its set', async () => {
    await apply({ a: 1 }, '--set', 'team');
    await cli.run('jobs', 'pause', 'a');
    await cli.run('jobs', 'resume', 'a');
    expect((await cli.run('jobs', 'get', 'a')).stdout).toMatch(/^set +team$/m);
    expect((await cli.run('jobs', 'get', 'a', '--json')).json()).toMatchObject({ set: 'team' });
  });
});

describe('two sets that claim the same job', () => {
  beforeEach(() => apply({ a: 1, b: 2 }, '--set', 'team'));

  test.each([[[]], [['--dry-run']], [PRUNE]])('is told, and nothing is written (%j)', async (args) => {
    const { revision } = cli.etcd;
    const { code, stdout, stderr } = await apply({ a: 5, z: 6 }, ...args);
    expect(code).toBe(1);
    expect(stdout).toContain('~ schedule: "1 * * * *" → "5 * * * *"');
    expect(stderr).toMatch(
      /other sets than "default" manage jobs of these files: "a" by "team"; nothing was changed \[ETCRON_SET_CONFLICT\]\nhint: .*--take-over/,
    );
    expect(cli.etcd.revision).toBe(revision);
  });

  test('is no conflict with --take-over, which also renames a set', async () => {
    const { code, stdout } = await apply({ a: 1, b: 2 }, '--set', 'new', '--take-over');
    expect(code).toBe(0);
    expect(stdout).toContain('managed by the set "new": a (from the set "team"), b (from the set "team")');
    await apply({}, '--set', 'team', ...PRUNE);
    expect(jobNames()).toEqual(['a', 'b']);
    await apply({ a: 1 }, '--set', 'new', ...PRUNE);
    expect(jobNames()).toEqual(['a']);
  });

  test('--json says who managed what', async () => {
    const { stdout } = await apply({ a: 1, c: 3 }, '--set', 'new', '--take-over', '--dry-run', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      set: 'new',
      changes: [
        { name: 'a', kind: 'unchanged', set: { before: 'team', after: 'new' } },
        { name: 'c', kind: 'create', set: { before: null, after: 'new' } },
      ],
    });
  });

  test('nor is a job overwritten that another set takes over in between', async () => {
    let done = false;
    cli.intercept = ({ phase, method }) => {
      if (phase !== 'request' || method !== 'txn' || done) return;
      done = true;
      cli.etcd.txn({ compare: [], success: [{ type: 'put', key: keys.setOf('a'), value: '{"set":"x"}' }] });
    };
    const { code, stderr } = await apply({ a: 7, b: 8 }, '--set', 'team');
    expect(code).toBe(1);
    expect(stderr).toContain(
      'somebody else changed "a" in the meantime; nothing was applied [ETCRON_CONFLICT]',
    );
    expect(cli.job('b')).toContain('2 * * * *');
  });
});

test.each(['', 'a b', '-x', 'a/b', 'x'.repeat(129)])('the name %j of a set is refused', async (name) => {
  const { code, stderr } = await apply({}, `--set=${name}`);
  expect(code).toBe(2);
  expect(stderr).toContain('[ETCRON_USAGE]');
});
