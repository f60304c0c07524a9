import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestCli } from './support.js';

const CRONTAB = `MAILTO=ops
# Nightly
30 3 * * * /opt/backup.sh
@reboot /opt/start
`;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'etcron-import-'));
});

afterAll(() => rm(folder, { recursive: true }));

describe('import crontab', () => {
  test('writes a file that validate and apply take, and lists what is missing', async () => {
    const cli = new TestCli();
    const imported = await cli.runWith({ input: CRONTAB }, 'import', 'crontab', '-', '--tz', 'Asia/Tokyo');
    expect(imported.code).toBe(0);
    expect(imported.stderr).toContain('warning: <stdin>:1: MAILTO="ops": etcron sends no mail');
    expect(imported.stderr).toContain('warning: <stdin>:4: left out: the schedule "@reboot" is not valid: ');
    expect(imported.stderr).toContain('1 job, 1 line left out\n');
    expect(cli.stores).toHaveLength(0);
    const input = imported.stdout;
    expect((await cli.runWith({ input }, 'validate', '-f', '-')).stdout).toContain('1 job in 1 file');
    expect((await cli.runWith({ input }, 'apply', '-f', '-')).code).toBe(0);
    expect(JSON.parse(cli.job('backup')!)).toEqual({
      schedule: '30 3 * * *',
      timezone: 'Asia/Tokyo',
      command: '/opt/backup.sh',
      overlap: 'allow',
      misfire: 'skip',
      recovery: 'abandon',
      description: 'Nightly',
    });
  });

  test('--strict writes the file as well, and fails when something is missing', async () => {
    const { code, stdout, stderr } = await new TestCli().runWith(
      { input: CRONTAB },
      ...['import', 'crontab', '-', '--strict'],
    );
    expect(code).toBe(1);
    expect(stdout).toContain('backup:');
    expect(stderr).toMatch(
      /error: 2 things in <stdin> cannot be carried over \[ETCRON_IMPORT_INCOMPLETE\]\nhint: /,
    );
    const good = await new TestCli().runWith({ input: '@daily x\n' }, 'import', 'crontab', '-', '--strict');
    expect({ code: good.code, stderr: good.stderr }).toEqual({
      code: 0,
      stderr: '1 job, no lines left out\n',
    });
  });

  test('-o writes a new file, and none over another', async () => {
    const source = join(folder, 'crontab');
    const target = join(folder, 'jobs.yaml');
    await writeFile(source, 'LOGNAME=x\n17 * * * * root /opt/x\n');
    const args = ['import', 'crontab', source, '--system', '-o', target];
    const { code, stdout, stderr } = await new TestCli().run(...args);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toContain(`${source}:1: LOGNAME`);
    const text = await readFile(target, 'utf8');
    expect(text).toContain(`# From ${source}, by`);
    expect(text).toContain('user: root');
    const again = await new TestCli().run(...args);
    expect(again.code).toBe(2);
    expect(again.stderr).toMatch(/exists and was left as it is \[ETCRON_FILE_EXISTS\]\nhint: /);
    expect(await readFile(target, 'utf8')).toBe(text);
    const nowhere = await new TestCli().run(...args.slice(0, -1), join(folder, 'no', 'where'));
    expect(nowhere.code).toBe(1);
    expect(nowhere.stderr).toContain('[ETCRON_FILE_UNWRITABLE]');
  });

  test('--json', async () => {
    const { stdout } = await new TestCli().runWith(
      { input: CRONTAB },
      ...['--json', 'import', 'crontab', '-', '--tz', 'UTC'],
    );
    expect(JSON.parse(stdout)).toMatchObject({
      jobs: { backup: { schedule: '30 3 * * *', timezone: 'UTC', overlap: 'allow' } },
      findings: [
        { lines: [1], lost: 'part' },
        { lines: [4], lost: 'entry' },
      ],
    });
  });

  test('takes the zone of this machine when none is named', async () => {
    const { stdout } = await new TestCli().runWith({ input: '@daily x\n' }, 'import', 'crontab', '-');
    expect(stdout).toContain(`timezone: ${Intl.DateTimeFormat().resolvedOptions().timeZone}\n`);
  });

  test.each([
    [['no-such-file'], 2, 'ETCRON_FILE_UNREADABLE'],
    [['-', '--tz', 'Europe/Berln'], 2, 'ETCRON_TIMEZONE_INVALID'],
    [[], 2, 'ETCRON_USAGE'],
  ])('%j is refused', async (args, code, error) => {
    const result = await new TestCli().run('import', 'crontab', ...args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toContain(`[${error}]`);
  });
});
