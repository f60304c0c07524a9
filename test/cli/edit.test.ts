import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keys, TestCli, type CliResult } from './support.js';

const JOB = '{"schedule":"@daily","command":"true","env":{"A":"1"}}';

let folder: string;
let cli: TestCli;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'etcron-edit-test-'));
  cli = new TestCli();
  cli.putJob('a', JOB);
});

afterEach(() => rm(folder, { recursive: true }));

/** Edits with a shell script; `$1` is the file, `$ROUNDS` a file that gets a copy of it each time. */
async function edit(script: string, job = 'a', ...args: string[]): Promise<CliResult> {
  const editor = join(folder, 'my editor');
  await writeFile(
    editor,
    `#!/bin/sh\nROUNDS='${folder}/rounds'\necho == >> "$ROUNDS"\ncat "$1" >> "$ROUNDS"\n${script}\n`,
  );
  await chmod(editor, 0o755);
  return cli.runWith({ env: { EDITOR: `'${editor}'` } }, 'jobs', 'edit', job, ...args);
}

/** What the editor was shown, round by round. */
async function rounds(): Promise<string[]> {
  return (await readFile(join(folder, 'rounds'), 'utf8')).split('==\n').slice(1);
}

/** The file in which the text was kept. */
function kept({ stderr }: CliResult): string {
  return /kept in (\S+job\.yaml)\./.exec(stderr)![1]!;
}

describe('jobs edit', () => {
  test('writes what was saved', async () => {
    const { code, stdout } = await edit(`sed -i 's/@daily/@hourly/' "$1"`);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'changed a\n' });
    expect(JSON.parse(cli.job('a')!)).toEqual({ schedule: '@hourly', command: 'true', env: { A: '1' } });
    const [shown] = await rounds();
    expect(shown).toContain(`#: Job "a": /cron/jobs/a, revision ${cli.etcd.revision - 1}\n`);
    expect(shown).toMatch(/\nschedule: "@daily"\ncommand: "true"\nenv:\n {2}A: "1"\n$/);
  });

  test.each([
    ['nothing', ':'],
    ['a comment', 'echo "# so" >> "$1"'],
    ['the order', `printf 'command: "true"\\nenv: { A: 1 }\\nschedule: "@daily"\\n' > "$1"`],
    ['all, by deleting it', ': > "$1"'],
    ['all but the heading', `grep '^#' "$1" > "$1.new"; mv "$1.new" "$1"`],
  ])('writes nothing when the change is %s', async (_, script) => {
    const { revision } = cli.etcd;
    expect(await edit(script)).toMatchObject({ code: 0, stdout: 'a was left as it is\n' });
    expect(cli.etcd.revision).toBe(revision);
    expect(await rounds()).toHaveLength(1);
    expect((await edit(script, 'a', '--json')).json()).toEqual({ name: 'a', changed: false });
  });

  test('opens again with what is wrong, at its lines, until it is right', async () => {
    const { code } = await edit(`
      if grep -q 'This is wrong' "$1"; then sed -i 's/@dayly/@weekly/; s/^comand/command/' "$1"
      else sed -i 's/@daily/@dayly/; s/^command/comand/' "$1"; fi`);
    expect(code).toBe(0);
    expect(JSON.parse(cli.job('a')!)).toMatchObject({ schedule: '@weekly', command: 'true' });
    const [, second] = await rounds();
    const lines = second!.split('\n');
    const line = lines.findIndex((text) => text.startsWith('schedule:')) + 1;
    expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^#: ${line}:11 schedule: .*@dayly`)));
    expect(lines).toContainEqual(
      expect.stringMatching(new RegExp(`^#: ${line + 1}:1 comand: is not a field`)),
    );
  });

  test('a mistake that is saved twice ends it; the text is kept', async () => {
    const result = await edit(`sed -i 's/@daily/@dayly/' "$1"`);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(
      /error: "a" was left as it is: the text has mistakes \[ETCRON_JOB_INVALID\]\nhint: /,
    );
    expect(await readFile(kept(result), 'utf8')).toContain('schedule: "@dayly"');
    expect(cli.job('a')).toBe(JOB);
    await rm(join(kept(result), '..'), { recursive: true });
  });

  test('what somebody else changed meanwhile is not overwritten; the text is kept', async () => {
    cli.intercept = ({ phase, method, args }) => {
      if (phase !== 'request' || method !== 'txn' || !JSON.stringify(args).includes('"put"')) return;
      cli.intercept = undefined;
      cli.putJob('a', JOB);
    };
    const result = await edit(`sed -i 's/@daily/@hourly/' "$1"`);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/somebody else changed "a".*nothing was written \[ETCRON_CONFLICT\]/);
    expect(await readFile(kept(result), 'utf8')).toContain('@hourly');
    expect(cli.job('a')).toBe(JOB);
    await rm(join(kept(result), '..'), { recursive: true });
  });

  test('an editor that fails changes nothing', async () => {
    const result = await edit(`sed -i 's/@daily/@hourly/' "$1"; exit 3`);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/the editor .* ended with 3 \[ETCRON_EDITOR_FAILED\]\nhint: .*kept in/);
    expect(cli.job('a')).toBe(JOB);
    expect(existsSync(kept(result))).toBe(true);
    await rm(join(kept(result), '..'), { recursive: true });
  });

  test('VISUAL goes before EDITOR, and may hold options', async () => {
    const env = { VISUAL: `sed -i -e 's/@daily/@weekly/'`, EDITOR: 'false' };
    expect((await cli.runWith({ env }, 'jobs', 'edit', 'a')).code).toBe(0);
    expect(cli.job('a')).toContain('@weekly');
  });

  test('a broken job is shown as it is, with what is wrong, and can be mended', async () => {
    cli.putJob('b', '# mine\nschedule: "@dayly"\ncommand: x\n');
    const { code } = await edit(`sed -i '/^#:/!s/@dayly/@daily/' "$1"`, 'b');
    expect(code).toBe(0);
    expect(cli.job('b')).toBe('{"schedule":"@daily","command":"x"}');
    const [shown] = await rounds();
    expect(shown).toMatch(/#: \d+:11 schedule: .*\n# mine\nschedule: "@dayly"\n/);
  });

  test('leaves nothing behind, and keeps the set', async () => {
    await cli.runWith({ input: `jobs: { a: ${JOB} }` }, 'apply', '-f', '-', '--set', 'team');
    await edit(`sed -i 's/@daily/@hourly/' "$1"; echo "$1" > '${folder}/path'`);
    const path = (await readFile(join(folder, 'path'), 'utf8')).trim();
    expect(existsSync(join(path, '..'))).toBe(false);
    expect(cli.etcd.get(keys.setOf('a'))?.value.toString()).toBe('{"set":"team"}');
  });

  test('an unknown job opens no editor', async () => {
    const { code, stderr } = await edit(':', 'aa');
    expect(code).toBe(1);
    expect(stderr).toContain('[ETCRON_JOB_NOT_FOUND]');
    expect(existsSync(join(folder, 'rounds'))).toBe(false);
  });
});
