import { beforeEach, describe, expect, test } from 'vitest';
import { formatRunId, parseRunId, type FiringId } from '../../src/etcd/keys.js';
import type { RunRecord } from '../../src/history/run-record.js';
import { decodeFiring } from '../../src/view/firing-record.js';
import { GOOD_JOB, keys, T0, TestCli } from './support.js';

const RANGE = ['--from', '2026-11-21T13:00Z', '--to', '2026-11-21T13:30Z'];
const DUES = [0, 5, 10, 15, 20, 25, 30].map((minute) => Date.UTC(2026, 10, 21, 13, minute));

let cli: TestCli;
let asked: FiringId[];
let open: number;
let mostOpen: number;

beforeEach(() => {
  cli = new TestCli();
  asked = [];
  [open, mostOpen] = [0, 0];
  cli.putJob('a', GOOD_JOB);
  cli.putWorker('w1-abc123');
});

/** Ends runs as a worker would, when so many are under way that no more are to be expected. */
function answer(how: (id: FiringId, index: number) => Partial<RunRecord> | 'gone' | null, atOnce = 1): void {
  let waiting: (() => void)[] = [];
  cli.onFiring((runId) => {
    const id = parseRunId(runId)!;
    asked.push(id);
    mostOpen = Math.max(mostOpen, (open += 1));
    const record = how(id, asked.length);
    if (record === null) return;
    waiting.push(() => {
      open -= 1;
      if (record === 'gone')
        cli.etcd.txn({ compare: [], success: [{ type: 'delete', key: keys.firing(id) }] });
      else cli.endRun(id, { attempts: 1, durationMs: 1_500, ...record });
    });
    if (waiting.length < Math.min(atOnce, DUES.length + waiting.length - asked.length)) return;
    for (const end of waiting) setImmediate(end);
    waiting = [];
  });
}

describe('etcron backfill', () => {
  test('runs the job for each past due time in the range, both ends included, one after another', async () => {
    answer(() => ({}));
    const firings: unknown[] = [];
    cli.etcd.observe(({ events }) => {
      for (const event of events)
        if (event.type === 'put' && event.kv.key.startsWith(keys.firings))
          firings.push(decodeFiring(event.kv));
    });
    const { code, stdout, stderr } = await cli.run('backfill', 'a', ...RANGE);
    expect(code).toBe(0);
    expect(asked.map(({ dueMs }) => dueMs)).toEqual(DUES);
    expect(mostOpen).toBe(1);
    const suffixes = new Set(asked.map(({ suffix }) => suffix));
    expect([...suffixes]).toEqual([expect.stringMatching(/^backfill-20261121T140000Z-[0-9a-f]{4}$/)]);
    expect(stdout.split('\n')[0]).toBe('1/7  2026-11-21 13:00:00Z  succeeded  1s500ms');
    expect(stdout).toContain('✓ all 7 runs succeeded');
    expect(stderr).toContain(
      'a: 7 due times, from 2026-11-21 13:00:00Z to 2026-11-21 13:30:00Z, 1 at a time',
    );
    // They wait for a slot instead of being skipped, and are late from now on, not from their due time.
    for (const firing of firings)
      expect(firing).toMatchObject({ value: { origin: 'manual', misfire: true, notBefore: T0, attempt: 0 } });
  });

  test('runs as many at once as it is told, in order', async () => {
    answer(() => ({}), 3);
    // The first request takes longer than those after it.
    cli.intercept = async ({ method, phase, args }) => {
      const [txn] = args as [{ success?: readonly { key: string }[] }];
      const isFirst = txn.success?.some(({ key }) => key.startsWith(`${keys.firings}a/2026-11-21T13:00`));
      if (method !== 'txn' || phase !== 'request' || isFirst !== true) return;
      for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    };
    const { code } = await cli.run('backfill', 'a', ...RANGE, '--concurrency', '3');
    expect(code).toBe(0);
    expect(mostOpen).toBe(3);
    expect(asked.map(({ dueMs }) => dueMs)).toEqual(DUES);
  });

  test('reads times in the zone of the job, a date to its end, and takes what the schedule leaves out as left out', async () => {
    cli.putJob(
      'a',
      JSON.stringify({ schedule: '0 */6 * * *', timezone: 'Asia/Tokyo', only: '2026-11-18', command: 'x' }),
    );
    const { code, stdout, stderr } = await cli.run(
      ...['backfill', 'a', '--from', '2026-11-17T12:00', '--to', '2026-11-18', '--dry-run'],
    );
    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(/ {2,}/).at(-1)),
    ).toEqual(
      [15, 21]
        .map((hour) => `2026-11-17 ${hour}:00:00Z`)
        .concat([3, 9].map((hour) => `2026-11-18 0${hour}:00:00Z`)),
    );
    expect(stderr).toContain('a was due 4 times');
    expect(cli.etcd.range({ start: keys.firings, end: `${keys.firings}~` }).count).toBe(0);
  });

  test('leaves the future to the schedule', async () => {
    const { stdout } = await cli.run(
      ...['backfill', 'a', '--from', '2026-11-21T13:50Z', '--to', '2026-11-30', '--dry-run', '--json'],
    );
    expect(JSON.parse(stdout)).toEqual({
      ...{ job: 'a', dryRun: true, count: 3, reachesFuture: true },
      due: ['2026-11-21T13:50:00Z', '2026-11-21T13:55:00Z', '2026-11-21T14:00:00Z'],
    });
  });

  test.each([
    [
      'a range without due times',
      ['a', '--from', '2026-11-21T13:01Z', '--to', '2026-11-21T13:04Z'],
      2,
      /was not due between .* \[ETCRON_USAGE\]\nhint: The last time before was 2026-11-21 13:00:00Z\./,
    ],
    ['a range in the future', ['a', '--from', '2026-12-01', '--to', '2026-12-02'], 2, /was not due between/],
    [
      'more than 10,000 due times',
      ['a', '--from', '2026-01-01', '--to', '2026-11-01'],
      2,
      /more than 10000 times .*\nhint: Take them in parts: first --to 2026-02-04T17:15:00Z, then --from 2026-02-04T17:20:00Z\./,
    ],
    [
      'ends that are swapped',
      ['a', '--from', '2026-11-20', '--to', '2026-11-19'],
      2,
      /--from 2026-11-20 is later than --to 2026-11-19/,
    ],
    ['what is no time', ['a', '--from', 'monday', '--to', '2026-11-19'], 2, /must be a time/],
    ['no range', ['a'], 2, /--from/],
    ['an unknown job', ['b', ...RANGE], 1, /ETCRON_JOB_NOT_FOUND/],
    [
      'a paused job',
      ['paused', ...RANGE],
      1,
      /"paused" is paused: moving house \[ETCRON_JOB_PAUSED\]\nhint: Resume it first: etcron jobs resume paused/,
    ],
    ['a broken job', ['broken', ...RANGE], 2, /ETCRON_JOB_INVALID/],
  ])('refuses %s', async (_, args, exitCode, message) => {
    cli.putJob('paused', '{"schedule":"@hourly","command":"x","paused":{"reason":"moving house"}}');
    cli.putJob('broken', 'nonsense');
    answer(() => ({}));
    const { code, stderr } = await cli.run('backfill', ...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(exitCode);
    expect(asked).toEqual([]);
  });

  test('asks where there are many', async () => {
    answer(() => ({}));
    const many = ['backfill', 'a', '--from', '2026-11-21T10:00Z', '--to', '2026-11-21T11:59Z'];
    const refused = await cli.runWith({ input: 'n\n', isTTY: true }, ...many);
    expect([refused.code, asked]).toEqual([1, []]);
    expect(refused.stderr).toContain(
      'Run a for 24 due times, from 2026-11-21 10:00:00Z to 2026-11-21 11:55:00Z?',
    );
    expect((await cli.run(...many)).stderr).toContain('Pass --yes to confirm.');
    expect((await cli.run(...many, '--yes')).code).toBe(0);
    expect(asked).toHaveLength(24);
  });

  test('goes on after a failure, and ends with an error', async () => {
    answer((_, index) =>
      index === 2 ? { outcome: 'failed', reason: 'exit code 3' } : index === 4 ? 'gone' : {},
    );
    const { code, stdout, stderr } = await cli.run('backfill', 'a', ...RANGE);
    expect(code).toBe(1);
    expect(asked).toHaveLength(7);
    expect(stdout).toContain('2/7  2026-11-21 13:05:00Z  failed  1s500ms  exit code 3');
    expect(stdout).toContain('4/7  2026-11-21 13:15:00Z  gone  it was removed, or its record is damaged');
    expect(stderr).toContain('7 of 7 runs ended, 2 of them not well [ETCRON_RUN_FAILED]');
  });

  test('with --json, says how each ended as one document', async () => {
    answer(() => ({}));
    const { code, stdout } = await cli.run('backfill', 'a', ...RANGE, '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ job: 'a', count: 7, next: null },
      runs: asked.map((id) => ({ run: formatRunId(id), outcome: 'succeeded' })),
    });
  });

  test('stops when it is interrupted, and says how to go on', async () => {
    answer((_, index) => {
      if (index === 3) cli.interrupt();
      return {};
    });
    const { code, stderr } = await cli.run('backfill', 'a', ...RANGE);
    expect(code).toBe(1);
    expect(asked).toHaveLength(3);
    expect(stderr).toContain('Stopping: waiting for 1 run; Ctrl-C again leaves it to the workers.');
    expect(stderr).toContain(
      'Go on with: etcron backfill a --from 2026-11-21T13:15:00Z --to 2026-11-21T13:30Z',
    );
  });

  test('leaves what is under way when it is interrupted again', async () => {
    answer((_, index) => {
      if (index < 2) return {};
      cli.interrupt();
      cli.interrupt();
      return null;
    });
    const { code, stderr } = await cli.run('backfill', 'a', ...RANGE);
    expect(code).toBe(1);
    expect(stderr).toContain('Go on with: etcron backfill a --from 2026-11-21T13:10:00Z');
  });

  test('stops where the job is paused or deleted meanwhile', async () => {
    answer((_, index) => {
      if (index === 2) cli.putJob('a', '{"schedule":"*/5 * * * *","command":"true","paused":true}');
      return {};
    });
    const { code, stderr } = await cli.run('backfill', 'a', ...RANGE);
    expect(code).toBe(1);
    expect(asked).toHaveLength(2);
    expect(stderr).toMatch(
      /\[ETCRON_JOB_PAUSED\]\nhint: .*Go on with: etcron backfill a --from 2026-11-21T13:10:00Z/,
    );
  });
});
