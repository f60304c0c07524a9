import { beforeEach, describe, expect, test } from 'vitest';
import type { Terminal } from '../../../src/cli/environment.js';
import { RecentRuns } from '../../../src/cli/top/recent-runs.js';
import { emptyRecord } from '../../../src/history/run-record.js';
import { due, T0, TestCli } from '../support.js';

let cli: TestCli;

beforeEach(() => {
  cli = new TestCli();
  cli.putLeader('w1-a');
  cli.putWorker('w1-a');
  cli.putJob('a', '{"schedule":"*/5 * * * *","command":"true"}');
  cli.putJob('late', '{"schedule":"0 3 * * *","command":"true","paused":true}');
  cli.putFiring(due('a', -20), { attempt: 1, node: 'w1-a' });
  cli.putRun(due('a', -60), {
    outcome: 'failed',
    reason: 'exit code 3',
    endedAt: T0 - 59_000,
    latenessMs: 7,
  });
});

describe('etcron top', () => {
  test('--once shows what there is', async () => {
    const { code, stdout } = await cli.run('top', '--once');
    expect(code).toBe(0);
    expect(stdout).toContain('leader w1-a for 30s · 1/1 active · load 1/4 · 2 jobs');
    expect(stdout).toMatch(/^a\/2026-11-21T13:59:40\.000Z +w1-a +20s$/m);
    expect(stdout).toMatch(/^a\/2026-11-21T13:59:00\.000Z {2}failed: exit code 3 +59s ago$/m);
    expect(stdout).toMatch(/^13:59 +1 ended +1 failed {2}late: median 7ms/m);
    expect(stdout).toMatch(/^a\/2026-11-21T14:05:00\.000Z +in 5m$/m);
    expect(stdout).not.toContain('late/');
    const json = (await cli.run('top', '--once', '--json')).json<{ running: unknown[]; leader: unknown }>();
    expect(json.leader).toMatchObject({ node: 'w1-a' });
    expect(json.running).toHaveLength(1);
  });

  test('draws a screen until somebody presses q, and leaves the terminal as it was', async () => {
    const written: string[] = [];
    let press: (key: string) => void = () => undefined;
    let ended = 0;
    const listening = (): (() => void) => () => void (ended += 1);
    const terminal: Terminal = {
      columns: 80,
      rows: 24,
      write: (text) => {
        written.push(text);
        if (written.length === 4) setImmediate(() => press('q'));
      },
      onResize: listening,
      onKey: (listener) => {
        press = listener;
        return listening();
      },
    };
    const { code } = await cli.runWith({ terminal, passMs: 50 }, 'top');
    expect(code).toBe(0);
    expect(written[0]).toBe('\u001b[?1049h\u001b[?25l');
    expect(written.at(-1)).toBe('\u001b[?25h\u001b[?1049l');
    expect(ended).toBe(2);
    const frames = written.slice(1, -1);
    expect(frames.length).toBeGreaterThanOrEqual(3);
    for (const frame of frames) {
      expect(frame.startsWith('\u001b[?2026h\u001b[H')).toBe(true);
      expect(frame.split('\r\n').length).toBeLessThanOrEqual(24);
    }
    expect(frames[0]).toContain('etcron top  /cron');
  });

  test('writes lines where there is no terminal, until it is interrupted', async () => {
    setTimeout(() => cli.interrupt(), 300);
    const { code, stdout } = await cli.runWith({ passMs: 50 }, 'top');
    expect(code).toBe(0);
    expect(stdout.split('\n')[0]).toMatch(
      /^2026-11-21T14:00:0\d\S+ {2}.*leader w1-a {2}workers 1\/1 {2}load 1\/4/,
    );
  });
});

test('recent runs are counted by the minute in which they end, and forgotten after five', () => {
  const recent = new RecentRuns();
  for (let index = 0; index < 100; index += 1) {
    const record = emptyRecord(index % 10 === 0 ? 'failed' : 'succeeded', null, T0 - index * 6_000);
    recent.add(due('a', -index), { ...record, latenessMs: index });
  }
  const minutes = recent.minutes(T0);
  expect(minutes.map(({ runs, failed }) => [runs, failed])).toEqual([
    [10, 1],
    [10, 1],
    [10, 1],
    [10, 1],
    [1, 1],
  ]);
  expect(minutes[3]!.lateness).toEqual({ p50Ms: 5, p99Ms: 10, maxMs: 10 });
  expect(recent.failures.map(({ atMs }) => atMs)).toEqual(
    Array.from({ length: 10 }, (_, index) => T0 - index * 60_000),
  );
});
