import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatProblem, loadJobsFiles, parseJobsFile } from '../../src/jobs/index.js';

function read(text: string): { jobs: Record<string, unknown>; problems: string[] } {
  const file = parseJobsFile(text, 'jobs.yaml');
  const jobs = Object.fromEntries([...file.jobs].map(([name, { definition }]) => [name, definition]));
  return { jobs, problems: file.problems.map((problem) => formatProblem(problem)) };
}

describe('a file of jobs', () => {
  it('merges the defaults of the same document under each job', () => {
    const { jobs, problems } = read(`
defaults:
  timeout: 1h
  timezone: Europe/Berlin
  command: [from, defaults]
  env: { A: 1, B: 2 }
  labels: { team: x }
  retries: { attempts: 3, delay: 5m }
  misfire: { policy: all, window: 1h }
jobs:
  own:
    schedule: '@daily'
    command: x
    timeout:
    timezone: UTC
    env: { B: 3, C: 4 }
    retries: { delay: 1s, attempts: }
    misfire: skip
  inherited: { schedule: '@daily', misfire: }
---
jobs:
  bare: { schedule: '@daily', command: x }
---
defaults: { misfire: all }
jobs:
  long-form: { schedule: '@daily', command: x, misfire: { limit: 5 } }
`);
    expect(problems).toEqual([]);
    expect(jobs).toEqual({
      own: {
        schedule: '@daily',
        command: 'x',
        timezone: 'UTC',
        env: { A: '1', B: '3', C: '4' },
        labels: { team: 'x' },
        retries: { delay: '1s' },
        misfire: { policy: 'skip', window: '1h' },
      },
      inherited: {
        schedule: '@daily',
        command: ['from', 'defaults'],
        timeout: '1h',
        timezone: 'Europe/Berlin',
        env: { A: '1', B: '2' },
        labels: { team: 'x' },
        retries: { attempts: 3, delay: '5m' },
      },
      bare: { schedule: '@daily', command: 'x' },
      'long-form': { schedule: '@daily', command: 'x', misfire: { policy: 'all', limit: 5 } },
    });
  });

  it('says where each job stands', () => {
    const file = parseJobsFile(
      'jobs:\n  a: { schedule: "@daily", command: x }\n\n  b:\n    schedule: x\n',
      'f',
    );
    expect(file.jobs.get('a')).toMatchObject({ source: 'f', line: 2, job: { name: 'a' } });
    expect(file.places.get('b')).toEqual({ source: 'f', line: 4, column: 3 });
  });

  it('reports all problems of all jobs at once, and lets the good jobs through', () => {
    const { jobs, problems } = read(`jobs:
  a:
    schedule: */5 * * * *
    comand: x
    command: y
  b: { schedule: '@daily', command: x }
  'c d': { schedule: '@daily', command: x }
  d:
  e: [1]
  f: { schedule: '@daily', command: *nowhere }
---
jbos: {}
---
defaults: { retries: { delay: 5m } }
jobs:
  b: { schedule: '@daily', command: x }
  g: { schedule: '@daily', command: x, retries: { maxDelay: 1s } }
  h: { schedule: '@daily', command: x }
schedule: x
`);
    expect(Object.keys(jobs)).toEqual(['b', 'h']);
    expect(problems).toEqual([
      'jobs.yaml:3:15 jobs.a.schedule: begins with "*", which YAML takes for an alias (put the schedule in quotes: schedule: "*/5 * * * *")',
      'jobs.yaml:4:5 jobs.a.comand: is not a field of a job (did you mean "command"?)',
      'jobs.yaml:7:3 jobs["c d"]: "c d" is not a job name (use letters, digits, ".", "_" and "-", and begin with a letter or a digit)',
      'jobs.yaml:8:3 jobs.d.schedule: is required',
      'jobs.yaml:8:3 jobs.d.command: is required (or "http", or "handler": what is to be done)',
      'jobs.yaml:9:3 jobs.e: must be a map of fields, not a list',
      'jobs.yaml:10:37 jobs.f.command: begins with "*", which YAML takes for an alias (put the value in quotes: command: "*nowhere")',
      'jobs.yaml:12:1 jbos: is not known here (did you mean "jobs"?)',
      'jobs.yaml:12:1: holds no "jobs:" (for a file that is empty on purpose, write "jobs: {}")',
      'jobs.yaml:16:3 jobs.b: is defined twice, first at jobs.yaml:6:3 (rename or remove one of the two)',
      'jobs.yaml:17:61 jobs.g.retries.maxDelay: must not be shorter than the delay of 5m',
      'jobs.yaml:19:1 schedule: is not known here (a job stands under "jobs:", below its name)',
    ]);
  });

  it('names both places of a job that one document defines twice', () => {
    const { problems } = read(
      'jobs:\n  a: { schedule: "@daily", command: x }\n  a: { schedule: "@daily", command: y }\n',
    );
    expect(problems).toEqual([
      'jobs.yaml:3:3 jobs.a: is written twice, first at 2:3 (rename or remove one of the two)',
    ]);
  });

  it('leaves out of the defaults what goes with another kind of task', () => {
    const { jobs, problems } = read(`defaults:
  env: { STAGE: production }
  nice: 5
  secrets: { TOKEN: { env: X } }
  retries: { attempts: 3, exitCodes: [75] }
jobs:
  a: { schedule: '@daily', command: x }
  b: { schedule: '@daily', http: http://x/ }
  c: { schedule: '@daily', handler: x }
`);
    expect(problems).toEqual([]);
    const [secrets, retries] = [{ TOKEN: { env: 'X' } }, { attempts: 3 }];
    expect(jobs).toMatchObject({
      a: { env: { STAGE: 'production' }, nice: 5, secrets, retries: { ...retries, exitCodes: [75] } },
    });
    expect(jobs.b).toEqual({ schedule: '@daily', http: 'http://x/', secrets, retries });
    expect(jobs.c).toEqual({ schedule: '@daily', handler: 'x', retries });
  });

  it('reports wrong defaults once, where they stand, and accepts no job on top of them', () => {
    const { jobs, problems } = read(`defaults:
  timezone: Europe/Berln
  retries: { attempts: 0 }
  tiemout: 5s
jobs:
  a: { schedule: '@daily', command: x }
  b: { schedule: '@daily', command: x, timezone: UTC }
`);
    expect(jobs).toEqual({});
    expect(problems).toEqual([
      'jobs.yaml:2:13 defaults.timezone: the time zone "Europe/Berln" is unknown (did you mean Europe/Berlin?)',
      'jobs.yaml:3:24 defaults.retries.attempts: must be a whole number from 1 to 100, not the number 0',
      'jobs.yaml:4:3 defaults.tiemout: is not a field of a job (did you mean "timeout"?)',
    ]);
  });

  it('judges nothing more in a document whose structure is in doubt, but goes on with the next one', () => {
    const { jobs, problems } = read(`jobs:
  a:
    schedule: '@daily'
   command: x
---
jobs:
  b: { schedule: '@daily', command: x }
`);
    expect(Object.keys(jobs)).toEqual(['b']);
    expect(problems).toEqual([
      'jobs.yaml:4:1: is not YAML: all mapping items must start at the same column (fields of the same map begin in the same column)',
    ]);
  });

  it('lets an anchor share a part', () => {
    const { jobs } = read('jobs:\n  a: &a { schedule: "@daily", command: x }\n  b: *a\n');
    expect(jobs.b).toEqual({ schedule: '@daily', command: 'x' });
  });

  it.each([
    ['', 'jobs.yaml:1:1: holds no "jobs:" (for a file that is empty on purpose, write "jobs: {}")'],
    ['jobs:', 'jobs.yaml:1:1: holds no "jobs:" (for a file that is empty on purpose, write "jobs: {}")'],
    ['jobs: [a]', 'jobs.yaml:1:1 jobs: must be a map of jobs by name, not a list'],
    ['- a', 'jobs.yaml:1:1: must be a map with "jobs:", not a list'],
    [
      'jobs: *a',
      'jobs.yaml:1:7 jobs: begins with "*", which YAML takes for an alias (put the value in quotes: jobs: "*a")',
    ],
  ])('that holds no jobs: %j', (text, expected) => {
    expect(read(text)).toEqual({ jobs: {}, problems: [expected] });
  });

  it('may be empty on purpose', () => {
    expect(read('jobs: {}')).toEqual({ jobs: {}, problems: [] });
  });
});

describe('several files', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'etcron-jobs-'));
    await writeFile(join(directory, 'one.yaml'), 'jobs:\n  a: { schedule: "@daily", command: x }\n');
    await writeFile(
      join(directory, 'two.yaml'),
      'jobs:\n  b: { schedule: "@daily" }\n  a: { schedule: "@daily", command: y }\n',
    );
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it('become one set, with all problems', async () => {
    const [one, two, none] = ['one.yaml', 'two.yaml', 'none.yaml'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    const stdin = (async function* () {
      yield Buffer.from('jobs:\n  c: { schedule: "@daily", ');
      yield Buffer.from('command: z }\n');
    })();
    const loaded = await loadJobsFiles([one, two, '-', none, directory], { stdin });
    expect([...loaded.jobs.keys()]).toEqual(['a', 'c']);
    expect(loaded.jobs.get('a')?.definition.command).toBe('x');
    expect(loaded.jobs.get('c')?.source).toBe('<stdin>');
    expect(loaded.problems.map((problem) => formatProblem(problem))).toEqual([
      `${two}:2:3 jobs.b.command: is required (or "http", or "handler": what is to be done)`,
      `${two}:3:3 jobs.a: is defined twice, first at ${one}:2:3 (rename or remove one of the two)`,
      `${none}: cannot be read: there is no such file`,
      `${directory}: cannot be read: it is a directory`,
    ]);
    expect(loaded.problems[2]?.code).toBe('ETCRON_FILE_UNREADABLE');
  });
});
