import { describe, expect, it } from 'vitest';
import { formatProblem, parseJobValue, scheduleOf } from '../../src/jobs/index.js';
import { parseSchedule } from '../../src/schedule/index.js';

const MINIMAL = 'schedule: "* * * * *"\ncommand: date\n';

/** The problems as lines, or none. */
function problemsOf(text: string | Uint8Array, name = 'backup'): string[] {
  const parsed = parseJobValue(name, text);
  return parsed.ok ? [] : parsed.problems.map((problem) => formatProblem(problem, 'x'));
}

function definitionOf(text: string): unknown {
  const parsed = parseJobValue('backup', text);
  if (!parsed.ok) throw new Error(parsed.problems.map((problem) => formatProblem(problem)).join('\n'));
  return parsed.definition;
}

describe('a good definition', () => {
  it('fills in every default', () => {
    expect(parseJobValue('backup', MINIMAL)).toEqual({
      ok: true,
      definition: { schedule: '* * * * *', command: 'date' },
      job: {
        name: 'backup',
        schedule: '* * * * *',
        timezone: 'UTC',
        startAt: null,
        endAt: null,
        only: [],
        exclude: [],
        jitterMs: 0,
        maxRuns: null,
        removeAfterMs: null,
        startDeadlineMs: null,
        target: { with: {}, without: {} },
        everywhere: false,
        weight: 1,
        task: {
          kind: 'command',
          command: 'date',
          env: {},
          ...{ cwd: null, user: null, group: null, umask: null, nice: null, stdin: null },
          successExitCodes: [0],
        },
        secrets: {},
        timeoutMs: null,
        retries: {
          ...{ attempts: 1, delayMs: 10_000, backoff: 'exponential', maxDelayMs: 600_000, jitterMs: 0 },
          exitCodes: null,
          avoidLastWorker: false,
        },
        overlap: { policy: 'skip', limit: 100 },
        maxConcurrent: 1,
        limits: [],
        misfire: { policy: 'once', windowMs: 86_400_000, limit: 100 },
        recovery: 'rerun',
        paused: false,
        description: '',
        labels: {},
        history: { limit: 100, maxAgeMs: 30 * 86_400_000 },
        fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
      },
    });
  });

  it('takes over everything that was written', () => {
    const parsed = parseJobValue(
      'backup',
      `schedule: "0 30 3 * * *"
timezone: Europe/Berlin
command: [pg_dump, --file, /tmp/x]
env: { A: b }
cwd: /srv
user: postgres
group: 70
umask: 027
nice: 5
stdin: yes
successExitCodes: [0, 3]
target: { with: { disk: ssd, zone: [a, b] }, without: { spot: '*' } }
weight: 4
secrets: { TOKEN: { env: DUMP_TOKEN } }
limits: [db]
timeout: 1h30m
retries: { attempts: 4, delay: 5s, backoff: fixed, maxDelay: 1m }
overlap: allow
misfire: { policy: all, window: 2h, limit: 7 }
recovery: abandon
paused: true
description: A dump
labels: { team: data }
history: { limit: 5, maxAge: 7d }`,
    );
    expect(parsed.ok && parsed.job).toMatchObject({
      timezone: 'Europe/Berlin',
      task: {
        kind: 'command',
        command: ['pg_dump', '--file', '/tmp/x'],
        env: { A: 'b' },
        cwd: '/srv',
        ...{ user: 'postgres', group: '70', umask: 0o27, nice: 5, stdin: 'yes', successExitCodes: [0, 3] },
      },
      target: { with: { disk: ['ssd'], zone: ['a', 'b'] }, without: { spot: ['*'] } },
      weight: 4,
      secrets: { TOKEN: { env: 'DUMP_TOKEN' } },
      limits: ['db'],
      timeoutMs: 5_400_000,
      retries: { attempts: 4, delayMs: 5_000, backoff: 'fixed', maxDelayMs: 60_000 },
      overlap: { policy: 'allow' },
      maxConcurrent: null,
      misfire: { policy: 'all', windowMs: 7_200_000, limit: 7 },
      recovery: 'abandon',
      paused: true,
      description: 'A dump',
      labels: { team: 'data' },
      history: { limit: 5, maxAgeMs: 604_800_000 },
    });
  });

  it.each([
    ['JSON', '{"schedule":"* * * * *","command":"date"}'],
    ['JSON with tabs and line breaks', '{\n\t"command": "date",\n\t"schedule": "* * * * *"\n}'],
    ['a byte order mark', `\ufeff${MINIMAL}`],
    ['CRLF', MINIMAL.replaceAll('\n', '\r\n')],
    ['document markers and comments', `# a job\n---\n${MINIMAL}...\n`],
    ['fields without a value', `${MINIMAL}timeout:\nenv: ~\nretries: null\n`],
  ])('reads %s', (_, text) => {
    expect(definitionOf(text)).toEqual({ schedule: '* * * * *', command: 'date' });
  });

  it('takes numbers and booleans as they were written where a string is wanted', () => {
    const text = `schedule: "@daily"
command: [sleep, 5, 1.10, true]
env: { VERSION: 1.10, MODE: 0755, MASK: 0x10, SURE: true, OFF: off }
labels: { build: 1e3 }`;
    expect(definitionOf(text)).toEqual({
      schedule: '@daily',
      command: ['sleep', '5', '1.10', 'true'],
      env: { VERSION: '1.10', MODE: '0755', MASK: '0x10', SURE: 'true', OFF: 'off' },
      labels: { build: '1e3' },
    });
  });

  it('understands YAML 1.2 whatever the text says: "on" and "no" are strings', () => {
    const text = '%YAML 1.1\n---\nschedule: "@daily"\ncommand: x\nenv: { A: on, B: no }\n';
    expect(definitionOf(text)).toMatchObject({ env: { A: 'on', B: 'no' } });
  });

  it.each([
    ['maxDelay alone shortens the delay', '{ maxDelay: 5s }', { delayMs: 5_000, maxDelayMs: 5_000 }],
    ['delay alone lifts the cap', '{ delay: 1h }', { delayMs: 3_600_000, maxDelayMs: 3_600_000 }],
  ])('lets a retry default give way: %s', (_, retries, expected) => {
    const parsed = parseJobValue('a', `${MINIMAL}retries: ${retries}`);
    expect(parsed.ok && parsed.job.retries).toMatchObject(expected);
  });

  it('shares its fingerprint with any job of the same schedule, and with no other', () => {
    const fingerprint = (text: string): string => {
      const parsed = parseJobValue('a', text);
      return parsed.ok ? parsed.job.fingerprint : '';
    };
    expect(fingerprint(`${MINIMAL}paused: true`)).toBe(fingerprint(MINIMAL));
    expect(fingerprint(`${MINIMAL}timezone: Europe/Berlin`)).not.toBe(fingerprint(MINIMAL));
    expect(fingerprint(`${MINIMAL}jitter: 0s`)).toBe(fingerprint(MINIMAL));
    expect(fingerprint(`${MINIMAL}jitter: 5s`)).not.toBe(fingerprint(MINIMAL));
    expect(fingerprint(`${MINIMAL}jitter: 5s`)).not.toBe(fingerprint(`${MINIMAL}jitter: 6s`));
    expect(fingerprint('schedule: ["* * * * *"]\ncommand: date')).toBe(fingerprint(MINIMAL));
    expect(fingerprint('schedule: ["* * * * *", "@daily"]\ncommand: date')).not.toBe(fingerprint(MINIMAL));
  });
});

describe('a field with a problem', () => {
  it.each([
    ['timeout: 90', 'x:3:10 timeout: must be a duration, not the number 90 (add a unit: "90s")'],
    ['timeout: "90"', 'x:3:10 timeout: must be a duration, not "90" (add a unit: "90s")'],
    ['timeout: 0s', 'x:3:10 timeout: must be at least 1ms, not "0s"'],
    ['timeout: 20000d', 'x:3:10 timeout: must be at most 3650d, not "20000d"'],
    [
      'timeout: soon',
      'x:3:10 timeout: must be a duration, not "soon" (write a duration as whole numbers with units w, d, h, m, s or ms, such as 90s or 1h30m)',
    ],
    [
      'retries: 3',
      'x:3:10 retries: must be a map, not the number 3 (write "retries: { attempts: 3 }", where attempts counts the first one too)',
    ],
    [
      'retries: { attempts: 0 }',
      'x:3:22 retries.attempts: must be a whole number from 1 to 100, not the number 0',
    ],
    [
      'retries: { attempts: 1.5 }',
      'x:3:22 retries.attempts: must be a whole number from 1 to 100, not the number 1.5',
    ],
    [
      'retries: { attempts: .nan }',
      'x:3:22 retries.attempts: must be a whole number from 1 to 100, not the number NaN',
    ],
    [
      'retries: { delay: 10m, maxDelay: 5s }',
      'x:3:34 retries.maxDelay: must not be shorter than the delay of 10m',
    ],
    ['retries: { dealy: 5s }', 'x:3:12 retries.dealy: is not a field of retries (did you mean "delay"?)'],
    [
      'overlap: alow',
      'x:3:10 overlap: must be "skip", "allow", "queue" or "replace", not "alow" (did you mean "allow"?)',
    ],
    ['misfire: al', 'x:3:10 misfire: must be "once", "skip" or "all", not "al" (did you mean "all"?)'],
    ['misfire: 3', 'x:3:10 misfire: must be "once", "skip", "all" or a map, not the number 3'],
    ['misfire: { policy: never }', 'x:3:20 misfire.policy: must be "once", "skip" or "all", not "never"'],
    ['misfire: { x: 1 }', 'x:3:12 misfire.x: is not a field of misfire (there are policy, window, limit)'],
    [
      'startAt: soon',
      'x:3:10 startAt: must be a time from 1970 on, not "soon" (write 2026-12-24T18:00:00 for a time in the zone of the job, 2026-12-24T17:00:00Z for one in UTC)',
    ],
    [
      'endAt: 2026-12-24 18:00',
      'x:3:8 endAt: must be a time from 1970 on, not "2026-12-24 18:00" (write it with a T: 2026-12-24T18:00)',
    ],
    ['jitter: 2d', 'x:3:9 jitter: must be at most 1d, not "2d"'],
    ['endAt: 5', 'x:3:8 endAt: must be a date or a time, not the number 5'],
    [
      'exclude: [sat, sunday]',
      'x:3:16 exclude[1]: must be a date, a range of dates or a weekday, not "sunday" (did you mean "sun"?)',
    ],
    ['only: { day: sat }', 'x:3:1 only: must be a date, a weekday or a list of them, not a map'],
    ['exclude: mon-sun', 'x:3:10 exclude: runs backwards: "mon-sun" (list the weekdays one by one)'],
    [
      'exclude: [sun-sat]',
      'x:3:1 exclude: leaves no due time of the schedule (look for the due times that it should leave with "etcron next")',
    ],
    [
      '{ startAt: 2026-02-01, endAt: 2026-01-31 }'.slice(2, -2).replace(', ', '\n'),
      'x:4:8 endAt: leaves no due time of the schedule (look for the due times that it should leave with "etcron next")',
    ],
    ['recovery: [rerun]', 'x:3:1 recovery: must be "rerun" or "abandon", not a list'],
    [
      'paused: no',
      'x:3:9 paused: must be true, false or a map, not "no" (YAML 1.2 knows true and false only)',
    ],
    ['cwd: tmp', 'x:3:6 cwd: must be an absolute path, not "tmp"'],
    [
      'env: { "A B": x }',
      'x:3:8 env["A B"]: is not a name for an environment variable (use letters, digits and "_", and do not begin with a digit)',
    ],
    [
      'env: { ETCRON_JOB: x }',
      'x:3:8 env.ETCRON_JOB: names that begin with ETCRON_ are set by etcron itself',
    ],
    ['env: { A: { b: 1 } }', 'x:3:8 env.A: must be a string, not a map'],
    ['env: { A: }', 'x:3:8 env.A: must be a string, not empty'],
    ['env: { A: "x\\0" }', 'x:3:11 env.A: must not hold a NUL character'],
    ['labels: [a]', 'x:3:1 labels: must be a map of names to strings, not a list'],
    ['description: "\\e[31mred"', 'x:3:14 description: must not hold control characters'],
    [
      'history: { limit: 0 }',
      'x:3:19 history.limit: must be a whole number from 1 to 10000, not the number 0',
    ],
    ['history: { maxAge: 1s }', 'x:3:20 history.maxAge: must be at least 1m, not "1s"'],
    [
      'timezone: Europe/Berln',
      'x:3:11 timezone: the time zone "Europe/Berln" is unknown (did you mean Europe/Berlin?)',
    ],
    ['shedule: x', 'x:3:1 shedule: is not a field of a job (did you mean "schedule"?)'],
    ['tz: UTC', 'x:3:1 tz: is not a field of a job (did you mean "timezone"?)'],
    ['constructor: { a: 1 }', /^x:3:1 constructor: is not a field of a job \(there are schedule, timezone, /],
    [
      '<<: { a: 1 }',
      'x:3:1 ["<<"]: is not a field of a job (merge keys are not part of YAML 1.2; in a file, put what jobs share under "defaults:")',
    ],
    ['command: date', 'x:3:1 command: is written twice, first at 2:1 (rename or remove one of the two)'],
    ['__proto__: { paused: true }', 'x:3:1 __proto__: is not allowed as a name'],
    ['env: { __proto__: x }', 'x:3:8 env.__proto__: is not allowed as a name'],
    ['description: !!js/function x', 'x:3:14: "!!js/function" is a YAML tag, which is not supported here'],
    ['description: !mine x', 'x:3:14: "!mine" is a YAML tag, which is not supported here'],
  ])('%s', (line, expected) => {
    const problems = problemsOf(MINIMAL + line);
    expect(problems).toHaveLength(1);
    if (typeof expected === 'string') expect(problems[0]).toBe(expected);
    else expect(problems[0]).toMatch(expected);
  });

  it.each([
    [
      'a duplicate key',
      '{"schedule":"@daily","command":"x","command":"y"}',
      ['x:1:36 command: is written twice, first at 1:22 (rename or remove one of the two)'],
    ],
    [
      'a prototype',
      '{"schedule":"@daily","command":"x","env":{"__proto__":"y"}}',
      ['x:1:43 env.__proto__: is not allowed as a name'],
    ],
    [
      'a number',
      '{"schedule":"@daily","command":"x","timeout":5}',
      ['x:1:46 timeout: must be a duration, not the number 5 (add a unit: "5s")'],
    ],
  ])('in JSON: %s', (_, text, expected) => {
    expect(problemsOf(text)).toEqual(expected);
  });

  it('is reported beside all others, in the order of the text', () => {
    const text = 'schedule: "61 * * * *"\ntimezone: Nowhere/At/All\nretries: { attempts: x }\ncolor: red\n';
    expect(problemsOf(text)).toEqual([
      'x:1:1 command: is required (or "http", or "handler": what is to be done)',
      expect.stringMatching(/^x:1:11 schedule: the schedule "61 \* \* \* \*" is not valid: /),
      expect.stringMatching(/^x:2:11 timezone: the time zone "Nowhere\/At\/All" is unknown/),
      'x:3:22 retries.attempts: must be a whole number from 1 to 100, not "x"',
      expect.stringMatching(/^x:4:1 color: is not a field of a job \(there are /),
    ]);
  });

  it('tells a schedule that can never come due', () => {
    expect(problemsOf('schedule: 0 0 30 2 *\ncommand: x')).toEqual([
      'x:1:11 schedule: the schedule "0 0 30 2 *" never comes due (no calendar has such a day)',
    ]);
  });

  it('may have several schedules, each judged for itself', () => {
    expect(problemsOf('schedule: ["0 7 * * 1", "@daily"]\ncommand: x')).toEqual([]);
    expect(problemsOf('schedule: ["0 7 * * 1", 61 * * * *, 0 0 30 2 *, 5]\ncommand: x')).toEqual([
      expect.stringMatching(
        /^x:1:25 schedule\[1\]: the schedule "61 \* \* \* \*" is not valid: minute field/,
      ),
      'x:1:37 schedule[2]: the schedule "0 0 30 2 *" never comes due (no calendar has such a day)',
      'x:1:49 schedule[3]: must be a string, not the number 5',
    ]);
  });

  it('may bound its due times', () => {
    const bounds =
      'startAt: 2026-12-01\nendAt: 2027-03-31T12:00\nonly: mon-fri\nexclude: [2026-12-24..2027-01-02, 2027-02-08]\n';
    const parsed = parseJobValue('a', `${MINIMAL}timezone: Europe/Berlin\n${bounds}`);
    const job = parsed.ok ? parsed.job : null;
    expect(job).toMatchObject({ startAt: '2026-12-01', only: ['mon-fri'] });
    const schedule = scheduleOf(job!);
    const iso = (ms: number | null): string => new Date(ms!).toISOString();
    expect(iso(schedule.next(0))).toBe('2026-11-30T23:00:00.000Z');
    expect(iso(schedule.next(Date.UTC(2026, 11, 24)))).toBe('2027-01-03T23:00:00.000Z');
    expect(iso(schedule.previous(Infinity))).toBe('2027-03-31T10:00:00.000Z');
    const plain = parseJobValue('a', `${MINIMAL}timezone: Europe/Berlin\n`);
    expect(plain.ok && plain.job.fingerprint).not.toBe(job!.fingerprint);
  });

  it('may leave a value of the schedule to a hash of its name', () => {
    const job = (name: string) => {
      const parsed = parseJobValue(name, 'schedule: "H H * * *"\ncommand: x');
      if (!parsed.ok) throw new Error('refused');
      return parsed.job;
    };
    const dues = ['backup', 'report'].map((name) => scheduleOf(job(name)).next(0));
    expect(dues[0]).toBe(parseSchedule('H H * * *', 'UTC', { job: 'backup' }).next(0));
    expect(dues[0]).not.toBe(dues[1]);
    expect(job('backup').fingerprint).not.toBe(job('report').fingerprint);
    expect(job('backup').fingerprint).toBe(job('backup').fingerprint);
  });

  it.each([
    ['[]', 'x:1:1 schedule: must not be empty'],
    ['{ cron: x }', 'x:1:1 schedule: must be a string or a list of strings, not a map'],
    ['[" "]', 'x:1:12 schedule[0]: must not be empty'],
    [JSON.stringify(Array(17).fill('@daily')), 'x:1:1 schedule: has 17 expressions, at most 16 are allowed'],
  ])('schedule: %s', (schedule, expected) => {
    expect(problemsOf(`schedule: ${schedule}\ncommand: x`)).toEqual([expected]);
  });

  it.each([
    ['[]', 'x:2:1 command: must begin with the program to run'],
    ['["", a]', 'x:2:1 command: must begin with the program to run'],
    ['" "', 'x:2:10 command: must not be empty'],
    ['[echo, { a: 1 }]', 'x:2:17 command[1]: must be a string, not a map'],
    ['{ run: x }', 'x:2:1 command: must be a string or a list of strings, not a map'],
    ['', 'x:2:1 command: is required (or "http", or "handler": what is to be done)'],
  ])('command: %s', (command, expected) => {
    expect(problemsOf(`schedule: "@daily"\ncommand: ${command}`)).toEqual([expected]);
  });
});

describe('a value that YAML takes for something else', () => {
  it.each([
    [
      'schedule: */5 * * * *\ncommand: x',
      'x:1:11 schedule: begins with "*", which YAML takes for an alias (put the schedule in quotes: schedule: "*/5 * * * *")',
    ],
    [
      'command: x\nschedule: * * * * * # each minute',
      'x:2:11 schedule: begins with "*", which YAML takes for an alias (put the schedule in quotes: schedule: "* * * * *")',
    ],
    [
      '{command: x, schedule: */5 * * * *}',
      'x:1:24 schedule: begins with "*", which YAML takes for an alias (put the schedule in quotes: schedule: "*/5 * * * *")',
    ],
    [
      'schedule: @daily\r\ncommand: x',
      'x:1:11 schedule: begins with "@", which YAML takes for a reserved character (put the schedule in quotes: schedule: "@daily")',
    ],
    [
      'schedule: "@daily"\ncommand: `date`',
      'x:2:10 command: begins with "`", which YAML takes for a reserved character (put the value in quotes: command: "`date`")',
    ],
    [
      'schedule: "@daily"\ncommand: *x',
      'x:2:10 command: begins with "*", which YAML takes for an alias (put the value in quotes: command: "*x")',
    ],
    [
      'schedule: "@daily"\ncommand: &a [x, *a]',
      'x:2:17 command[1]: begins with "*", which YAML takes for an alias (put the value in quotes: "*a")',
    ],
    [
      'schedule: "@daily"\ncommand: echo "hi": x',
      'x:2:10: is not YAML: nested mappings are not allowed in compact mappings (put a value that contains ": " in quotes, or write it below a "|")',
    ],
    ['schedule:\n\t- x', 'x:2:1: is not YAML: tabs are not allowed as indentation (indent with spaces)'],
  ])('%j', (text, expected) => {
    expect(problemsOf(text)).toEqual([expected]);
  });

  it('does not hide the other problems of the job', () => {
    expect(problemsOf('schedule: @daily\ncommand: x\ntimeout: 5')).toHaveLength(2);
  });
});

describe('a text that is no definition', () => {
  it.each([
    ['', 'x:1:1: is empty'],
    ['# nothing', 'x:1:1: is empty'],
    ['- a', 'x:1:1: must be a map of fields, not a list'],
    ['date', 'x:1:1: must be a map of fields, not "date"'],
    ['a: 1\n---\nb: 2', 'x:2:1: holds 2 YAML documents, but one definition is one document'],
  ])('%j', (text, expected) => {
    expect(problemsOf(text)).toEqual([expected]);
  });

  it('says so when it is not UTF-8', () => {
    expect(problemsOf(Buffer.from([0xff, 0xfe, 0x41, 0x00]))).toEqual([
      'x:1:1: is not text in UTF-8 (save it in UTF-8)',
    ]);
  });

  it('gives the problem with the name too', () => {
    expect(problemsOf('# nothing', 'a b')).toEqual([
      'x: "a b" is not a job name (use letters, digits, ".", "_" and "-", and begin with a letter or a digit)',
      'x:1:1: is empty',
    ]);
  });
});
