import { beforeEach, describe, expect, test } from 'vitest';
import { duePart, Keys, type FiringId } from '../../src/etcd/keys.js';
import { put } from '../../src/etcd/txn.js';
import { getRun, listRuns, type ListRunsQuery } from '../../src/history/history.js';
import { emptyRecord, encodeRun, type Outcome } from '../../src/history/run-record.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';

const T0 = Date.UTC(2026, 10, 21, 14);
const keys = new Keys('/cron');

let etcd: MemoryEtcd;
let requests: { method: string; args: readonly unknown[] }[];

beforeEach(() => {
  etcd = new MemoryEtcd(new FakeClock(T0));
  requests = [];
});

function store() {
  return etcd.connect({
    intercept: ({ phase, method, args }) => {
      if (phase === 'request') requests.push({ method, args });
    },
  });
}

function write(id: FiringId, outcome: Outcome = 'succeeded'): void {
  etcd.txn({ compare: [], success: [put(keys.run(id), encodeRun(emptyRecord(outcome, null, T0)))] });
}

/** Due `second` after T0. */
function run(job: string, second: number, suffix: string | null = null): FiringId {
  return { job, dueMs: T0 + second * 1_000, suffix };
}

async function list(query: ListRunsQuery) {
  const page = await listRuns(store(), keys, query);
  return { ids: page.entries.map(({ runId }) => short(runId)), next: page.next };
}

/** `job/…:05.000Z+x` → `job 5+x` for what lies in the first hour. */
function short(runId: string): string {
  const [, job, minutes, seconds, suffix = ''] = /^(.*)\/.*T14:(\d\d):(\d\d)\.000Z(\+.*)?$/.exec(runId)!;
  return `${job} ${Number(minutes) * 60 + Number(seconds)}${suffix}`;
}

describe('listRuns', () => {
  test('one job, newest first, in pages', async () => {
    for (let second = 0; second < 5; second++) write(run('a', second));
    write(run('a-b', 9));
    write(run('b', 9));
    const first = await list({ job: 'a', limit: 2 });
    expect(first.ids).toEqual(['a 4', 'a 3']);
    const second = await list({ job: 'a', limit: 2, after: first.next! });
    expect(second.ids).toEqual(['a 2', 'a 1']);
    const third = await list({ job: 'a', limit: 2, after: second.next! });
    expect(third).toEqual({ ids: ['a 0'], next: null });
  });

  test('an exact last page says that nothing follows', async () => {
    write(run('a', 1));
    write(run('a', 2));
    expect(await list({ job: 'a', limit: 2 })).toEqual({ ids: ['a 2', 'a 1'], next: null });
    expect(await list({ limit: 2 })).toEqual({ ids: ['a 2', 'a 1'], next: null });
  });

  test('nothing at all', async () => {
    expect(await list({ limit: 5 })).toEqual({ ids: [], next: null });
    expect(await list({ job: 'a', limit: 5 })).toEqual({ ids: [], next: null });
  });

  test('across jobs by due time, then by job name, whatever the limit of a page', async () => {
    const expected: string[] = [];
    for (let second = 30; second >= 0; second--) {
      // `a-b` and `a.b` sort before `a/` in keys, which must not matter.
      const jobs = ['a', 'a-b', 'a.b', 'b'].filter((_, index) => second % (index + 1) === 0);
      for (const job of jobs) {
        write(run(job, second));
        expected.push(`${job} ${second}`);
      }
    }
    for (const limit of [1, 7, 1_000]) {
      const seen: string[] = [];
      let after: FiringId | null | undefined;
      while (after !== null) {
        const page = await list({ limit, ...(after ? { after } : {}) });
        seen.push(...page.ids);
        after = page.next;
      }
      expect(seen).toEqual(expected);
    }
  });

  test('a suffix is a run of its own', async () => {
    write(run('a', 1));
    write(run('a', 1, 'manual-x'));
    const first = await list({ limit: 1 });
    expect(first.ids).toEqual(['a 1+manual-x']);
    expect((await list({ limit: 1, after: first.next! })).ids).toEqual(['a 1']);
    expect((await list({ job: 'a', limit: 1, after: first.next! })).ids).toEqual(['a 1']);
  });

  test('long histories are skipped, not read', async () => {
    for (let second = 0; second < 3_000; second++) write(run('long', second));
    write(run('short', 5_000 - 2_000));
    write(run('early', 2_999));
    const { ids } = await list({ limit: 3 });
    expect(ids).toEqual(['short 3000', 'early 2999', 'long 2999']);
    const keysRead = requests
      .filter(({ method }) => method === 'range')
      .map(({ args }) => args[0] as { start: string });
    // A page that ends within `long`, its newest three, and the page from the job after it.
    expect(keysRead).toHaveLength(3);
  });

  test('keys that are no runs are left out and stop nothing', async () => {
    for (const key of ['/cron/runs/a', '/cron/runs/a/nonsense', '/cron/runs/', '/cron/runs/x/y/z']) {
      etcd.txn({ compare: [], success: [put(key, 'x')] });
    }
    write(run('a', 1));
    write(run('a-b', 1));
    expect((await list({ limit: 5 })).ids).toEqual(['a 1', 'a-b 1']);
    expect((await list({ job: 'a', limit: 5 })).ids).toEqual(['a 1']);
  });

  test('by outcome, with a bound on what is looked at and a way to go on', async () => {
    for (let second = 0; second < 200; second++)
      write(run('a', second), second % 50 === 0 ? 'failed' : 'succeeded');
    const all = await list({ outcomes: ['failed'], limit: 10 });
    expect(all).toEqual({ ids: ['a 150', 'a 100', 'a 50', 'a 0'], next: null });
    const two = await list({ outcomes: ['failed'], limit: 2 });
    expect(two.ids).toEqual(['a 150', 'a 100']);
    expect(duePart(two.next!)).toBe(duePart(run('a', 100)));
    expect((await list({ outcomes: ['failed', 'lost'], limit: 2, after: two.next! })).ids).toEqual([
      'a 50',
      'a 0',
    ]);
    const bounded = await list({ outcomes: ['failed'], limit: 2, maxExamined: 60 });
    expect(bounded.ids).toEqual(['a 150']);
    expect((await list({ outcomes: ['failed'], limit: 2, after: bounded.next! })).ids).toEqual([
      'a 100',
      'a 50',
    ]);
  });

  test('a damaged record is shown as such', async () => {
    etcd.txn({ compare: [], success: [put(keys.run(run('a', 1)), '{}')] });
    const { entries } = await listRuns(store(), keys, { limit: 5 });
    expect(entries).toMatchObject([{ record: null, problem: expect.stringContaining('outcome') as string }]);
    expect((await list({ outcomes: ['failed'], limit: 5 })).ids).toEqual([]);
  });
});

test('getRun reads one record', async () => {
  write(run('a', 1), 'failed');
  expect((await getRun(store(), keys, run('a', 1)))?.record?.outcome).toBe('failed');
  expect(await getRun(store(), keys, run('a', 2))).toBeNull();
});
