import { beforeEach, describe, expect, test } from 'vitest';
import { GOOD_JOB, T0, TestCli } from './support.js';

let cli: TestCli;

beforeEach(() => {
  cli = new TestCli();
  cli.putJob('a', '{"schedule":"0 * * * *","timezone":"Europe/Berlin","command":"x"}');
  cli.putJob('b', GOOD_JOB);
});

function pausedOf(job: string): unknown {
  return (JSON.parse(cli.job(job)!) as { paused?: unknown }).paused;
}

describe('jobs pause --reason --until', () => {
  test('is written, shown everywhere, and over by itself', async () => {
    const args = ['--reason', 'moving house', '--until', '2026-11-22T08:30'];
    const { code, stdout } = await cli.run('jobs', 'pause', 'a', ...args);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'paused a\n' });
    expect(pausedOf('a')).toEqual({ reason: 'moving house', until: '2026-11-22T08:30' });
    expect((await cli.run('jobs', 'pause', 'a', ...args)).stdout).toBe('a is paused already\n');

    const state = 'paused until 2026-11-22 07:30:00Z: moving house';
    const list = await cli.run('jobs', 'list');
    expect(list.stdout).toContain(`in 18h`);
    expect(list.stdout).toMatch(new RegExp(`^a .*${state}$`, 'm'));
    expect(list.stderr).toContain('2 jobs, 1 paused');
    const get = await cli.run('jobs', 'get', 'a');
    expect(get.stdout).toContain(state);
    expect(get.stdout).toContain('2026-11-22 08:00:00Z');
    expect((await cli.run('status')).stdout).toMatch(new RegExp(`^Paused jobs\\n.*\\na +${state}$`, 'm'));
    const pause = { reason: 'moving house', until: '2026-11-22T07:30:00.000Z' };
    expect((await cli.run('jobs', 'get', 'a', '--json')).json()).toMatchObject({ state: 'paused', pause });
    expect((await cli.run('jobs', 'list', '--json')).json()).toMatchObject({
      jobs: [
        { state: 'paused', pause },
        { state: 'ok', pause: null },
      ],
    });

    await cli.clock.advance(18 * 3_600_000);
    expect((await cli.run('jobs', 'list')).stdout).toMatch(/^a .* ok$/m);
    expect((await cli.run('status')).stdout).not.toContain('Paused jobs');
  });

  test('only one of them', async () => {
    await cli.run('jobs', 'pause', 'a', '--reason', 'x');
    expect(pausedOf('a')).toEqual({ reason: 'x' });
    expect((await cli.run('jobs', 'list')).stdout).toMatch(/^a .* paused: x$/m);
    // It goes on anyway, and keeps its reason.
    expect((await cli.run('jobs', 'pause', 'a')).stdout).toBe('a is paused already\n');
    await cli.run('jobs', 'pause', 'a', '--until', '2026-12-01');
    expect(pausedOf('a')).toEqual({ until: '2026-12-01' });
    await cli.run('jobs', 'pause', 'a');
    expect(pausedOf('a')).toBe(true);
    await cli.run('jobs', 'pause', 'a', '--until', '2026-12-01');
    expect((await cli.run('jobs', 'resume', 'a')).stdout).toBe('resumed a\n');
    expect(pausedOf('a')).toBeUndefined();
    expect((await cli.run('jobs', 'resume', 'a')).stdout).toBe('a is not paused already\n');
  });

  test('a time that is past for one of the jobs pauses none of them', async () => {
    // 15:30 in Berlin is 14:30 UTC; it is 14:00 UTC.
    expect(new Date(T0).toISOString()).toBe('2026-11-21T14:00:00.000Z');
    const { code, stderr } = await cli.run('jobs', 'pause', 'b', 'a', '--until', '2026-11-21T14:30');
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /is past: for "a" \(Europe\/Berlin\) that was 2026-11-21 13:30:00Z \[ETCRON_USAGE\]/,
    );
    expect(pausedOf('b')).toBeUndefined();
    expect((await cli.run('jobs', 'pause', 'b', '--until', '2026-11-21T14:30')).code).toBe(0);
  });

  test.each([
    ['--until', 'tomorrow'],
    ['--until', '2026-12-01 08:00'],
    ['--reason', ''],
    ['--reason', 'a\nb'],
    ['--reason', 'x'.repeat(257)],
  ])('%s %j is refused', async (flag, value) => {
    const { code, stderr } = await cli.run('jobs', 'pause', 'a', flag, value);
    expect(code).toBe(2);
    expect(stderr).toContain('[ETCRON_USAGE]');
    expect(pausedOf('a')).toBeUndefined();
  });

  test('apply leaves it, with its reason and end; a file may set it', async () => {
    await cli.run('jobs', 'pause', 'a', '--until', '2026-12-01', '--reason', 'x');
    const input = 'jobs: { a: { schedule: "@daily", command: x } }';
    const applied = await cli.runWith({ input }, 'apply', '-f', '-');
    expect(applied.stdout).toContain('~ a (stays paused until 2026-12-01)\n');
    expect(pausedOf('a')).toEqual({ reason: 'x', until: '2026-12-01' });
    const until = 'jobs: { a: { schedule: "@daily", command: x, paused: { until: 2027-01-01 } } }';
    await cli.runWith({ input: until }, 'apply', '-f', '-');
    expect(pausedOf('a')).toEqual({ until: '2027-01-01' });
    const off = 'jobs: { a: { schedule: "@daily", command: x, paused: false } }';
    await cli.runWith({ input: off }, 'apply', '-f', '-');
    expect(pausedOf('a')).toBe(false);
  });
});
