import { homedir } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { childEnvironment, RUN_MARKER_VARIABLE } from '../../src/run/child-environment.js';
import { IDENTITY, useRuns } from './support.js';

const OWN = {
  ETCRON_JOB: 'backup',
  ETCRON_DUE: '2026-11-21T14:00:00.000Z',
  ETCRON_ATTEMPT: '2',
  ETCRON_RUN_ID: 'backup/2026-11-21T14:00:00.000Z',
  ETCRON_FENCING_TOKEN: '4711',
  [RUN_MARKER_VARIABLE]: 'm1',
};

describe('childEnvironment', () => {
  it('takes PATH, HOME, LANG and TZ from the worker and nothing else', () => {
    const worker = {
      PATH: '/opt/bin',
      HOME: '/home/w',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      ETCRON_PASSWORD: 's3cret',
      AWS_SECRET: 's3cret',
    };
    expect(childEnvironment(IDENTITY, 'm1', {}, worker)).toEqual({
      PATH: '/opt/bin',
      HOME: '/home/w',
      LANG: 'C.UTF-8',
      TZ: 'UTC',
      ...OWN,
    });
  });

  it('has defaults for PATH and HOME only', () => {
    const env = childEnvironment(IDENTITY, 'm1', {}, { PATH: '' });
    expect(env).toEqual({ PATH: '/usr/local/bin:/usr/bin:/bin', HOME: homedir(), ...OWN });
  });

  it('lets the job override these four, but not what etcron says', () => {
    const job = {
      PATH: '/j',
      HOME: '/h',
      LANG: 'de',
      TZ: 'Asia/Tokyo',
      A: '1',
      ETCRON_JOB: 'x',
      ETCRON_ETCD: 'y',
    };
    const env = childEnvironment(IDENTITY, 'm1', job, { PATH: '/w', TZ: 'UTC' });
    expect(env).toEqual({ PATH: '/j', HOME: '/h', LANG: 'de', TZ: 'Asia/Tokyo', A: '1', ...OWN });
  });
});

describe('a running command', () => {
  const runs = useRuns();
  afterEach(() => vi.unstubAllEnvs());

  it.each([
    ['a shell', 'env'],
    ['no shell', ['env']],
  ])('sees nothing of a worker full of secrets, with %s', async (_name, command) => {
    for (const name of [
      'ETCRON_PASSWORD',
      'ETCRON_ETCD_PASSWORD',
      'ETCDCTL_USER',
      'AWS_SECRET_ACCESS_KEY',
      'USER',
    ]) {
      vi.stubEnv(name, 's3cret');
    }
    vi.stubEnv('TZ', undefined);
    vi.stubEnv('LANG', undefined);
    const run = runs.start(command, { env: { GREETING: 'grüß dich', ETCRON_JOB: 'forged' } });
    const { stdout } = await run.result;
    expect(stdout.text).not.toContain('s3cret');
    const names = stdout.text
      .trim()
      .split('\n')
      .map((line) => line.slice(0, line.indexOf('=')))
      .filter((name) => !['PWD', 'OLDPWD', '_', 'SHLVL'].includes(name)); // set by the shell itself
    const expected = [...Object.keys(OWN), 'PATH', 'HOME', 'GREETING'];
    expect(names.sort()).toEqual(expected.sort());
    expect(stdout.text).toContain('GREETING=grüß dich\n');
    expect(stdout.text).toContain('ETCRON_JOB=backup\n');
    expect(stdout.text).toContain(`ETCRON_RUN_MARKER=${run.marker}\n`);
  });
});
