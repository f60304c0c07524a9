import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { importCrontab, type CrontabImport } from '../../../src/jobs/crontab/import-crontab.js';
import { renderImport } from '../../../src/jobs/crontab/render-import.js';
import { JOB_NAME_PATTERN, parseJobsFile } from '../../../src/jobs/index.js';

function read(text: string, system = false): CrontabImport {
  return importCrontab(text, { system, timeZone: 'Europe/Berlin' });
}

/** The commands by job, of a crontab in which nothing may be lost. */
function commands(text: string): Record<string, unknown> {
  const { jobs, findings } = read(text);
  expect(findings).toEqual([]);
  return Object.fromEntries(jobs.map(({ name, definition }) => [name, definition.command]));
}

/** What cannot be carried over, as `lines: message`. */
function lost(text: string, system = false): string[] {
  return read(text, system).findings.map(
    ({ lines, lost, message }) => `${lines.join(',')} ${lost}: ${message}`,
  );
}

describe('entries', () => {
  test('keep their braces, which are no templates', () => {
    const found = commands("@daily docker ps --format '{{.ID}}'\n");
    expect(Object.values(found)).toEqual([`docker ps --format '{{ '{{' }}.ID}}'`]);
  });

  test('a plain one', () => {
    const { jobs, findings } = read('\t 30 3  *\t* mon-fri   /opt/backup.sh --all  # all\n');
    expect(findings).toEqual([]);
    expect(jobs).toEqual([
      {
        name: 'backup',
        line: 1,
        user: null,
        definition: {
          schedule: '30 3 * * mon-fri',
          timezone: 'Europe/Berlin',
          // The shell knows this comment, cron does not.
          command: '/opt/backup.sh --all  # all',
        },
      },
    ]);
  });

  test('with and without a user column', () => {
    const text =
      '17 * * * * root cd / && run-parts --report /etc/cron.hourly\n@daily www-data:web /opt/tidy\n';
    const { jobs } = read(text, true);
    expect(jobs.map(({ name, user, definition }) => [name, user, definition.schedule])).toEqual([
      ['run-parts', 'root', '17 * * * *'],
      ['tidy', 'www-data', '@daily'],
    ]);
    expect(jobs[0]!.definition.command).toBe('cd / && run-parts --report /etc/cron.hourly');
    expect(jobs.map(({ definition }) => definition.user)).toEqual(['root', 'www-data']);
    expect(lost(text, true)).toEqual([]);
    expect(lost('* * * * * root /opt/x')).toEqual([
      '1 part: the command begins with "root", which looks like a user',
    ]);
    expect(lost('* * * * * /opt/x --all', true)).toEqual([
      '1 entry: names no user before the command; the crontab of a user is read without --system',
    ]);
  });

  test('a user that all entries share is said once', () => {
    const yaml = renderImport(read('@daily bob a\n@daily bob b\n', true), 'x');
    expect(yaml.match(/user: bob/g)).toHaveLength(1);
    expect(yaml.indexOf('user: bob')).toBeLessThan(yaml.indexOf('jobs:'));
  });

  test('macros, and the minus sign before the minute', () => {
    const { jobs } = read('@midnight a\n@ANNUALLY b\n@every_minute c\n-5 * * * * d\n');
    expect(jobs.map(({ definition }) => definition.schedule)).toEqual([
      '@midnight',
      '@ANNUALLY',
      '* * * * *',
      '5 * * * *',
    ]);
  });

  test.each([
    ['@reboot /opt/x', /@reboot has no due time/],
    ['61 * * * * /opt/x', /61 is outside 0-59/],
    ['* * * * *', /has a schedule and no command/],
    ['@daily   ', /has a schedule and no command/],
    ['0~59 * * * * /opt/x', /random part/],
    ['0 0 30 2 * /opt/x', /never comes due/],
    ['hello world', /neither a comment/],
    ['@600 /opt/x', /@600 is unknown/],
    ['0 0 * * * -q /opt/x', /options -q/],
    ['0 0 * * * /opt/x \u0000', /not UTF-8/],
  ])('%j is left out, with the reason', (line, reason) => {
    const { jobs, findings } = read(`@daily /opt/good\n\n${line}\n@hourly /opt/also\n`);
    expect(jobs.map(({ name }) => name)).toEqual(['good', 'also']);
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({
      lines: [3],
      lost: 'entry',
      message: expect.stringMatching(reason) as unknown,
    });
  });

  test('bytes that are not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('@daily a\n@daily b '), Buffer.from([0xff]), Buffer.from('\n')]);
    const { jobs, findings } = importCrontab(bytes, { system: false, timeZone: 'UTC' });
    expect(jobs.map(({ name }) => name)).toEqual(['a']);
    expect(findings).toMatchObject([{ lines: [2], lost: 'entry' }]);
  });

  test('from Windows, and without a last line break', () => {
    expect(commands('@daily a\r\n@hourly b')).toEqual({ a: 'a', b: 'b' });
  });
});

describe('settings', () => {
  const envs = (text: string) => read(text).jobs.map(({ definition }) => definition.env);

  test('hold for the entries below them, and give way to later ones', () => {
    expect(envs('@daily a\nX=1\n@daily b\nX=2\nY=3\n@daily c\n')).toEqual([
      undefined,
      { X: '1' },
      { X: '2', Y: '3' },
    ]);
  });

  test.each([
    ['X=a b', 'a b'],
    ['X = "  a b  "  ', '  a b  '],
    ["  X='it''s'", undefined],
    [`X='say "hi"'`, 'say "hi"'],
    ['"X" = 1 # not a comment', '1 # not a comment'],
    ["'X'=$HOME/bin:~", '$HOME/bin:~'],
    ['X=', ''],
    ['X=""', ''],
    ['X="', undefined],
    ['X=a=b', 'a=b'],
    ['X=%', '%'],
    ['X=1.10', '1.10'],
  ])('%s', (line, value) => {
    const { jobs, findings } = read(`${line}\n@daily a\n`);
    expect(jobs[0]!.definition.env).toEqual(value === undefined ? undefined : { X: value });
    expect(findings).toHaveLength(value === undefined ? 1 : 0);
  });

  test('an entry is not taken for a setting', () => {
    expect(commands('@daily X=1 /opt/x\n* * * * * Y=2 /opt/y\n')).toEqual({
      x: 'X=1 /opt/x',
      y: 'Y=2 /opt/y',
    });
  });

  test('SHELL, HOME', () => {
    const [first, second] = read(
      'HOME=/srv\n@daily a\nSHELL=/bin/bash\nHOME=rel\n@daily b "x y" | c\n',
    ).jobs.map(({ definition }) => definition);
    expect(first).toMatchObject({ command: 'a', cwd: '/srv', env: { HOME: '/srv' } });
    expect(second).toMatchObject({
      command: ['/bin/bash', '-c', 'b "x y" | c'],
      env: { HOME: 'rel', SHELL: '/bin/bash' },
    });
    expect(second).not.toHaveProperty('cwd');
  });

  test('CRON_TZ moves the schedule, TZ is for the command', () => {
    const { jobs, findings } = read(
      'TZ=Asia/Tokyo\n@daily a\nCRON_TZ=America/New_York\n@daily b\nCRON_TZ=Mars/Base\n@daily c\nCRON_TZ=\n@daily d\n',
    );
    expect(jobs.map(({ definition: { timezone, env } }) => [timezone, env])).toEqual([
      ['Europe/Berlin', { TZ: 'Asia/Tokyo' }],
      ['America/New_York', { TZ: 'Asia/Tokyo' }],
      ['Europe/Berlin', { TZ: 'Asia/Tokyo' }],
    ]);
    expect(findings.map(({ lines, lost }) => [lines, lost])).toEqual([
      [[5], 'part'],
      [[6], 'entry'],
    ]);
  });

  test('RANDOM_DELAY is a jitter of so many minutes for the entries below it', () => {
    const text =
      '@daily a\nRANDOM_DELAY=90\n@daily b\nRANDOM_DELAY=0\n@daily c\nRANDOM_DELAY=1440\n@daily d\n';
    const { jobs, findings } = read(text);
    expect(jobs.map(({ definition }) => definition.jitter)).toEqual([undefined, '1h30m', undefined, '1d']);
    expect(findings).toEqual([]);
    expect(lost('RANDOM_DELAY=1441\n@daily a')).toEqual([
      '1 part: RANDOM_DELAY="1441" is not a number of minutes up to a day',
    ]);
  });

  test('what cannot be carried over is listed', () => {
    const text = [
      'MAILTO=ops',
      'MAILTO=""',
      'MAILFROM=x',
      'LOGNAME=x',
      'RANDOM_DELAY=often',
      'ETCRON_X=1',
      'A-B=1',
      '@daily bin/x',
    ];
    expect(lost(text.join('\n'))).toEqual([
      '1 part: MAILTO="ops": etcron sends no mail; the output is kept with the run',
      '4 part: LOGNAME: cron itself ignores this line, and so does etcron',
      '5 part: RANDOM_DELAY="often" is not a number of minutes up to a day',
      '6 part: the variable "ETCRON_X" is left out: it is set by etcron itself',
      '7 part: the variable "A-B" is left out: it is no name for a variable',
      '8 part: "bin/x" is relative to the home directory, in which etcron does not start it',
    ]);
    expect(read(text.join('\n')).jobs[0]!.definition).not.toHaveProperty('env');
    expect(lost('HOME=/srv\n@daily bin/x')).toEqual([]);
  });
});

describe('percent signs', () => {
  test.each([
    ['date +\\%F', 'date +%F', null],
    ['cat%a%b', 'cat', 'a\nb\n'],
    ['cat%a%', 'cat', 'a\n'],
    ['cat%%', 'cat', '\n'],
    ['cat%', 'cat', null],
    ['cat%50\\% of\\it', 'cat', '50% of\\it\n'],
    [`printf '\\a\\\\%x`, `printf '\\a\\\\`, 'x\n'],
    ['cat; cat%INPUT%INPUT_', 'cat; cat', 'INPUT\nINPUT_\n'],
  ])('%s', (written, command, input) => {
    const [job] = read(`@daily ${written}`).jobs;
    const script = job!.definition.command as string;
    if (input === null) return expect(script).toBe(command);
    expect(script.endsWith(`\n${command}`)).toBe(true);
    expect(script).toContain(`'\n${input}INPUT`);
  });

  test.each(['sh', 'bash'])('the command reads its input, with SHELL=/bin/%s', (shell) => {
    const setting = `SHELL=/bin/${shell}\n`;
    const text = `${setting}@daily read x; echo "[$x] $0" \\% 'q' | sed s/a/b/; cat | tr a-z A-Z%a $HOME \`id\`%it's%INPUT%\n`;
    const [job] = read(text).jobs;
    const output = execFileSync('/bin/sh', ['-c', job!.definition.command as string], { encoding: 'utf8' });
    expect(output.replace(/\] \S+/, '] SH')).toBe(`[b $HOME \`id\`] SH % q\nIT'S\nINPUT\n`);
  });
});

describe('descriptions', () => {
  const descriptions = (text: string) => read(text).jobs.map(({ definition }) => definition.description);

  test('are the comments right above an entry', () => {
    expect(descriptions('# far\n\n#  Nightly dump,\n## takes long \n# ----\n@daily a\n@daily b\n')).toEqual([
      'Nightly dump,\ntakes long',
      undefined,
    ]);
  });

  test('not headings, settings, or entries that are commented out', () => {
    expect(
      descriptions(
        '# Edit this file.\n# m h  dom mon dow   command\n@daily a\n# about X\nX=1\n@daily b\n# old\n#*/5 * * * * /opt/c\n@daily c\n',
      ),
    ).toEqual([undefined, undefined, undefined]);
  });

  test('hold nothing that a job may not say', () => {
    expect(descriptions(`# a\u0007b${'x'.repeat(5_000)}\n@daily a\n`)[0]).toMatch(/^a bx{4093}$/);
  });
});

describe('names', () => {
  const names = (...lines: string[]) =>
    read(lines.map((line) => `@daily ${line}`).join('\n')).jobs.map(({ name }) => name);

  test.each([
    ['/usr/local/bin/backup.sh --all', 'backup'],
    ['cd /srv/app && /usr/bin/php -q artisan schedule:run >> /dev/null 2>&1', 'artisan'],
    ['test -x /usr/sbin/anacron || ( cd / && run-parts /etc/cron.daily )', 'run-parts'],
    ['command -v debian-sa1 > /dev/null && debian-sa1 1 1', 'debian-sa1'],
    [
      '[ -x /usr/lib/php/sessionclean ] && if [ ! -d /run/systemd/system ]; then /usr/lib/php/sessionclean; fi',
      'sessionclean',
    ],
    ['flock -n /run/x.lock nice -n 10 sudo -u bob LANG=C timeout 30m /opt/import.py', 'import'],
    ['"/opt/my tool/run it"', 'my'],
    ['$(evil)', 'evil'],
    ['日本語', 'job'],
    [`x${'y'.repeat(200)}`, `x${'y'.repeat(47)}`],
  ])('%s', (command, name) => {
    expect(names(command)).toEqual([name]);
  });

  test('say more where they would be alike, the same in any order', () => {
    const hourly = 'run-parts --report /etc/cron.hourly';
    const daily = 'run-parts --report /etc/cron.daily';
    expect(names(hourly, daily, '/opt/x')).toEqual([
      'run-parts-report-etc-cron.hourly',
      'run-parts-report-etc-cron.daily',
      'x',
    ]);
    expect(names('/opt/y', daily, hourly)).toEqual([
      'y',
      'run-parts-report-etc-cron.daily',
      'run-parts-report-etc-cron.hourly',
    ]);
    expect(read('@daily /opt/x\n@hourly /opt/x\n').jobs.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^x-[0-9a-f]{6}$/),
      expect.stringMatching(/^x-[0-9a-f]{6}$/),
    ]);
    const [one, two, three] = names('a b', 'a b', 'a b');
    expect([two, three]).toEqual([`${one}-2`, `${one}-3`]);
  });
});

describe('the file', () => {
  const NASTY = [
    'SHELL=/bin/bash',
    'PATH = "/usr/local/bin:/usr/bin:/bin"',
    `' GREETING'='  # "world" '`,
    '# - a: {b}',
    '# *anchor &x !tag',
    `*/5 * * * * echo "a: b" # 'c' \\% %{x: y}%  indented%- list%`,
    '@yearly true',
    '@weekly 1.10',
    '0 0 * * 7 : > /tmp/x; echo "\t"',
    '@monthly ~/bin/x &',
  ].join('\n');

  test('is taken by validate, and means the same', () => {
    const imported = read(NASTY);
    const yaml = renderImport(imported, 'crontab -l');
    const { jobs, problems } = parseJobsFile(yaml, 'jobs.yaml');
    expect(problems).toEqual([]);
    expect(jobs.size).toBe(5);
    for (const { name, definition } of imported.jobs) {
      expect(jobs.get(name)?.definition).toEqual({
        ...definition,
        overlap: 'allow',
        misfire: 'skip',
        recovery: 'abandon',
      });
    }
  });

  test('says what holds, and where each job is from', () => {
    const yaml = renderImport(
      read('X=1\n# Nightly\n@daily bob /opt/a\n5 4 * * * eve /opt/b\n', true),
      '/etc/crontab',
    );
    expect(yaml).toBe(`# From /etc/crontab, by "etcron import crontab".
# The defaults say what cron does, so that nothing changes for the commands. A failed command is not repeated, as
# with cron; "retries" would do that.

defaults:
  timezone: Europe/Berlin
  env:
    X: "1"
  # cron starts a command although the last one still runs; "skip" does not
  overlap: allow
  # cron never makes up for what it could not start; "once" does, for the newest
  misfire: skip
  # cron does not start again what died with its machine; "rerun" does
  recovery: abandon
jobs:
  # line 3
  a:
    schedule: "@daily"
    command: /opt/a
    user: bob
    description: Nightly
  # line 4
  b:
    schedule: 5 4 * * *
    command: /opt/b
    user: eve
`);
  });

  test('of an empty crontab holds no jobs', () => {
    expect(parseJobsFile(renderImport(read('# nothing\n'), 'x'), 'x')).toMatchObject({ problems: [] });
  });

  test('keeps a line of blanks in a text that has to be quoted', () => {
    const imported = importCrontab('0 0 * * * /bin/a \u001b[0m % %', { system: false, timeZone: 'UTC' });
    const [job] = imported.jobs;
    const file = parseJobsFile(renderImport(imported, 'x'), 'x');
    expect(file.jobs.get(job!.name)?.definition.command).toBe(job!.definition.command);
  });

  test('whatever the crontab: valid, with good names, and every line that is not a job accounted for', () => {
    const word = fc.constantFrom(
      ...'* */5 0 7 1-5 @daily @reboot root X=1 CRON_TZ=UTC SHELL=/bin/zsh % \\% \\ # " \' <<X $x ` : - > | && ( é \u2028 \ud800 \u001b[0m'.split(
        ' ',
      ),
    );
    const line = fc.oneof(
      fc.array(word, { maxLength: 9 }).map((words) => words.join(' ')),
      fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => `0 0 * * * ${words.join(' ')}`),
      fc.string({ unit: 'binary', maxLength: 40 }),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), fc.boolean(), (lines, system) => {
        const imported = importCrontab(lines.join('\n'), { system, timeZone: 'UTC' });
        const yaml = renderImport(imported, 'a\nfile');
        const file = parseJobsFile(yaml, 'jobs.yaml');
        expect(file.problems).toEqual([]);
        expect([...file.jobs.keys()].sort()).toEqual(imported.jobs.map(({ name }) => name).sort());
        for (const { name, definition } of imported.jobs) {
          expect(name).toMatch(JOB_NAME_PATTERN);
          expect(file.jobs.get(name)?.definition).toMatchObject(definition);
        }
        const accounted = new Set([
          ...imported.jobs.map(({ line }) => line),
          ...imported.findings.flatMap(({ lines }) => lines),
        ]);
        for (const [index, text] of lines.join('\n').split('\n').entries()) {
          if (/^[ \t]*[*0-9@]/.test(text) && !/^\s*[^\s=]+\s*=/.test(text))
            expect(accounted).toContain(index + 1);
        }
      }),
      { numRuns: 100 },
    );
  });
});
