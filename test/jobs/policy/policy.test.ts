import { describe, expect, it } from 'vitest';
import { resolveJob, type JobDefinition } from '../../../src/jobs/index.js';
import { forbidden, forbiddenUrl } from '../../../src/jobs/policy/judge.js';
import { policySchema } from '../../../src/jobs/policy/policy.js';
import { matchesPattern } from '../../../src/jobs/policy/wildcard.js';

const judge = (policy: unknown, definition: Partial<JobDefinition>, name = 'job'): string | null => {
  const { command, http, handler } = definition;
  const isNothing = command === undefined && http === undefined && handler === undefined;
  const job = resolveJob(name, {
    schedule: '@daily',
    ...definition,
    ...(isNothing ? { command: ['/bin/true'] } : {}),
  });
  return forbidden(policySchema.parse(policy), job);
};

describe('a pattern', () => {
  it.each([
    ['/opt/*', '/opt/a', true],
    ['/opt/*', '/opt/a/b', false],
    ['/opt/**', '/opt/a/b', true],
    ['/opt/**/run', '/opt/a/b/run', true],
    ['/opt/*/run', '/opt/a/b/run', false],
    ['/opt/a', '/opt/ab', false],
    ['/opt/a*b', '/opt/ab', true],
    ['APP_*', 'APP_', true],
    ['APP_*', 'XAPP_Y', false],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['/opt/.', '/opt/x', false],
    ['a.c', 'abc', false],
    ['**', '/any/thing', true],
  ])('%s matches %s: %j', (pattern, text, expected) => {
    expect(matchesPattern(pattern, text)).toBe(expected);
  });

  it('takes no longer for being hostile', () => {
    expect(matchesPattern('**a'.repeat(160) + 'b', 'a'.repeat(500))).toBe(false);
  });
});

describe('what a policy does not name is forbidden:', () => {
  it.each<[Partial<JobDefinition>, string]>([
    [{ command: ['/bin/true'] }, 'commands'],
    [{ command: 'true' }, 'commands'],
    [{ http: 'https://example.com' }, 'HTTP requests'],
    [{ handler: 'mail' }, 'the handler "mail"'],
  ])('%j: %s', (definition, what) => expect(judge({}, definition)).toBe(what));
});

describe('commands', () => {
  const commands = { programs: ['/opt/jobs/*', '/usr/bin/rsync'] };

  it.each<[object, Partial<JobDefinition>, string | null]>([
    [{}, { command: ['/opt/jobs/backup', '--all', '; rm -rf /'] }, null],
    [{}, { command: ['/usr/bin/rsync'] }, null],
    [{}, { command: ['/bin/rm', '-rf', '/'] }, 'the program "/bin/rm"'],
    [{}, { command: ['rsync'] }, 'the program "rsync"'],
    [{}, { command: ['/opt/jobs/../../bin/sh'] }, 'the program "/opt/jobs/../../bin/sh"'],
    [{}, { command: ['/opt/jobs/./backup'] }, 'the program "/opt/jobs/./backup"'],
    [{}, { command: ['/opt/jobs//backup'] }, 'the program "/opt/jobs//backup"'],
    [{}, { command: ['/opt/jobs/{{ job }}'] }, 'the program "/opt/jobs/{{ job }}"'],
    [{}, { command: ['/opt/jobs/a/b'] }, 'the program "/opt/jobs/a/b"'],
    [{}, { command: '/opt/jobs/backup' }, 'commands through a shell'],
    [{ shell: true }, { command: 'anything | else' }, null],
    [{}, { env: { LD_PRELOAD: '/tmp/x.so' } }, 'the variable "LD_PRELOAD"'],
    [{ env: ['APP_*'] }, { env: { APP_MODE: 'x' } }, null],
    [{ env: ['APP_*'] }, { env: { APP_MODE: 'x', PATH: '/tmp' } }, 'the variable "PATH"'],
    [{}, { cwd: '/tmp' }, 'the working directory "/tmp"'],
    [{ cwd: ['/srv/**'] }, { cwd: '/srv/a/b' }, null],
    [{ cwd: ['/srv/**'] }, { cwd: '/srv/../tmp' }, 'the working directory "/srv/../tmp"'],
    [{}, { user: 'root' }, 'the user "root"'],
    [{ users: ['backup'] }, { user: 'backup' }, null],
    [{ users: ['root'] }, { user: '0' }, 'the user "0"'],
    [{}, { group: 'disk' }, 'the group "disk"'],
    [{ groups: ['disk'] }, { group: 'disk' }, null],
    [{ ownUser: false }, {}, "the worker's own user"],
    [{ ownUser: false, users: ['backup'] }, { user: 'backup' }, null],
  ])('under %j, of %j: %s', (more, definition, what) => {
    const policy = { commands: { ...commands, ...more } };
    const command = definition.command ?? ['/opt/jobs/x'];
    expect(judge(policy, { ...definition, command })).toBe(what);
  });

  it('are allowed and forbidden by the name of their job, too', () => {
    const policy = { jobs: ['team-a-*'], commands: { shell: true } };
    expect(judge(policy, { command: 'x' }, 'team-a-backup')).toBeNull();
    expect(judge(policy, { command: 'x' }, 'team-b-backup')).toBe('the job "team-b-backup"');
  });
});

describe('secrets', () => {
  const commands = { programs: ['/bin/true'] };

  it.each<[object | undefined, JobDefinition['secrets'], string | null]>([
    [undefined, { A: { env: 'HOME' } }, 'the secret in the variable "HOME"'],
    [undefined, { A: { file: '/etc/shadow' } }, 'the secret in "/etc/shadow"'],
    [{ files: ['/run/secrets/*'] }, { A: { file: '/run/secrets/db' } }, null],
    [
      { files: ['/run/secrets/*'] },
      { A: { file: '/run/secrets/../../etc/shadow' } },
      'the secret in "/run/secrets/../../etc/shadow"',
    ],
    [{ env: ['DB_*'] }, { A: { env: 'DB_PASSWORD' } }, null],
    [{ env: ['DB_*'] }, { A: { env: 'ETCRON_PASSWORD' } }, 'the secret in the variable "ETCRON_PASSWORD"'],
  ])('under %j, of %j: %s', (secrets, wanted, what) => {
    const policy = { commands, ...(secrets === undefined ? {} : { secrets }) };
    expect(judge(policy, { command: ['/bin/true'], secrets: wanted! })).toBe(what);
  });
});

describe('requests', () => {
  const policy = { http: { hosts: ['api.example.com', '*.internal', '10.0.0.1', '[::1]'] } };

  it.each([
    ['https://api.example.com/x?y=1', null],
    ['http://API.example.com:8080', null],
    ['https://a.b.internal/', null],
    ['http://10.0.0.1/', null],
    ['http://[::1]:80/', null],
    ['https://api.example.com/{{ due.iso }}', null],
    ['https://example.com', 'the host "example.com"'],
    ['https://internal', 'the host "internal"'],
    ['https://api.example.com.evil.example', 'the host "api.example.com.evil.example"'],
    ['https://api.example.com@evil.example/', 'the host "evil.example"'],
    ['https://evil.example/api.example.com', 'the host "evil.example"'],
    ['https://evil.example#@api.example.com', 'the host "evil.example"'],
    ['https://evil.example\\@api.example.com/', 'the host "evil.example"'],
    ['http://0x0a000001/', null],
    ['http://169.254.169.254/latest/meta-data', 'the host "169.254.169.254"'],
    ['https://{{ job }}/', 'a URL whose host is not fixed'],
    ['https://api.example.com{{ job }}/', 'a URL whose host is not fixed'],
    ['https://api.example.com:{{ job }}/', 'a URL whose host is not fixed'],
  ])('to %s: %s', (url, what) => {
    const task = { kind: 'http', url } as never;
    expect(forbidden(policySchema.parse(policy), { name: 'j', task, secrets: {} })).toBe(what);
  });

  it('are judged again when their templates are filled in', () => {
    const parsed = policySchema.parse(policy);
    expect(forbiddenUrl(parsed, new URL('https://api.example.com./x'))).toBeNull();
    expect(forbiddenUrl(parsed, new URL('https://evil.example/'))).toBe('the host "evil.example"');
    expect(forbiddenUrl(policySchema.parse({}), new URL('https://api.example.com'))).toBe('HTTP requests');
  });
});
