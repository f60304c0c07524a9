/** `etcron doctor` as a whole, on an etcd in memory. */
import { expect, it } from 'vitest';
import { due, GOOD_JOB, keys, T0, TestCli } from '../support.js';
import { listenToClocks } from '../../../src/cli/doctor/listen-to-clocks.js';
import { findForeignKeys } from '../../../src/cli/doctor/foreign-keys.js';
import { takeSnapshot } from '../../../src/operations/snapshot.js';
import { put } from '../../../src/etcd/txn.js';

interface Json {
  healthy: boolean;
  findings: { check: string; severity: string; what: string; where: string[]; remedy: string }[];
  good: string[];
}

it('exits with 1 while something does not work, and says what to do', async () => {
  const cli = new TestCli();
  cli.putJob('bad', 'schedule: never');
  const { code, stdout } = await cli.run('doctor', '--quick');
  expect(code).toBe(1);
  expect(stdout).toContain('✗ nobody leads: due times are not planned  [leadership]');
  expect(stdout).toMatch(/✗ definitions of jobs are broken.*\n {4}bad: .*\n {2}→ See all that is wrong/);
  expect(stdout).toContain('✓ every key is one that etcron wrote');
  expect(stdout).toMatch(/3 errors, no warnings, 2 hints\n$/);
});

it('exits with 0 when there are hints alone; warnings count with --strict', async () => {
  const cli = new TestCli();
  cli.putWorker('w1-aaaaaa');
  cli.putWorker('w2-aaaaaa');
  cli.putLeader('w1-aaaaaa');
  const good = await cli.run('doctor', '--quick', '--json');
  expect(good.code).toBe(0);
  expect(good.json<Json>().healthy).toBe(true);
  cli.etcd.txn({ compare: [], success: [put('/cron/stranger', 'x')] });
  const { code, ...result } = await cli.run('doctor', '--quick', '--json');
  expect(code).toBe(0);
  expect(result.json<Json>().findings).toContainEqual(
    expect.objectContaining({
      ...{ check: 'foreign-keys', severity: 'warning' },
      where: ['/cron/stranger: a key that means nothing here'],
    }),
  );
  expect((await cli.run('doctor', '--quick', '--strict')).code).toBe(1);
});

it('listens to the clocks until each worker was heard, or for some seconds', async () => {
  const cli = new TestCli();
  const store = cli.etcd.connect();
  cli.putWorker('w1-aaaaaa', { clock: T0 - 60_000 });
  cli.putWorker('w2-aaaaaa', { clock: T0 - 60_000 });
  const snapshot = await takeSnapshot({ store, keys });
  const hearing = listenToClocks({ store, keys }, snapshot, cli.clock, 6_500);
  await cli.clock.advance(1_000);
  cli.putWorker('w2-aaaaaa', { clock: T0 + 1_000 + 2_500 });
  await cli.clock.advance(1_000);
  cli.putWorker('w1-aaaaaa', { clock: T0 + 2_000 });
  await cli.clock.advance(0);
  expect(await hearing).toEqual([
    { nodeId: 'w2-aaaaaa', aheadMs: 2_500 },
    { nodeId: 'w1-aaaaaa', aheadMs: 0 },
  ]);
  const silent = listenToClocks({ store, keys }, await takeSnapshot({ store, keys }), cli.clock, 6_500);
  await cli.clock.advance(6_500);
  expect(await silent).toEqual([]);
  expect(await listenToClocks({ store, keys }, { workers: [], revision: 1 }, cli.clock, 6_500)).toEqual([]);
});

it('finds what does not belong under the prefix, and nothing of what does', async () => {
  const cli = new TestCli();
  const store = cli.etcd.connect();
  cli.putJob('job', GOOD_JOB);
  cli.putWorker('w1-aaaaaa');
  cli.putLeader('w1-aaaaaa');
  cli.putFiring(due('job', 0));
  cli.putRun(due('job', -60));
  const own: [string, string][] = [
    [keys.setOf('job'), '{"set":"default"}'],
    [`${keys.access}secret`, 'x'],
    [`${keys.drains}w1`, '{}'],
    [keys.handover, '{}'],
    [`${keys.limits}db`, '{"size":1}'],
  ];
  const write = (key: string, value: string): void =>
    void cli.etcd.txn({ compare: [], success: [put(key, value)] });
  for (const [key, value] of own) write(key, value);
  const look = async () =>
    findForeignKeys({ store, keys }, await takeSnapshot({ store, keys })).then((found) =>
      found.map(({ key }) => key),
    );
  expect(await look()).toEqual([]);
  const foreign = [
    ...['/cron/a', '/cron/zzz', '/cron/counts/job', '/cron/cursor', '/cron/firings/job/never'],
    ...[
      '/cron/limits/bad',
      '/cron/lock/job/2026-11-21T14:00:00.000Z',
      '/cron/slots/job/0',
      '/cron/workers/fake',
    ],
  ];
  for (const key of foreign) write(key, '"?"');
  expect(await look()).toEqual([...foreign].sort());
});
