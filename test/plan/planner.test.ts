import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Keys, type FiringId } from '../../src/etcd/keys.js';
import { Mirror } from '../../src/etcd/mirror.js';
import { decodeRecord, encodeRecord } from '../../src/etcd/record.js';
import { prefixRange, singleKey } from '../../src/etcd/store.js';
import { decodeRun, emptyRecord, encodeRun } from '../../src/history/run-record.js';
import { jitteredStart } from '../../src/plan/jitter.js';
import { Planner } from '../../src/plan/planner.js';
import { Standby } from '../../src/plan/standby.js';
import { parseSchedule } from '../../src/schedule/index.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import type { MemoryStore } from '../../src/testing/memory-store.js';
import { unreachable } from '../../src/testing/refusals.js';
import { ClusterView } from '../../src/view/cluster-view.js';
import { cursorRecordSchema, type CursorRecord } from '../../src/view/cursor-record.js';
import { decodeFiring, encodeFiring, plannedFiring } from '../../src/view/firing-record.js';

const keys = new Keys();
const START_MS = Date.UTC(2026, 0, 1, 12);
const OPTIONS = { horizonMs: 15_000, strideMs: 2_000, misfireAfterMs: 10_000 };
const SECONDLY = '* * * * * *';

let clock: FakeClock;
let etcd: MemoryEtcd;
let stops: (() => Promise<void>)[];

beforeEach(() => {
  clock = new FakeClock(START_MS);
  etcd = new MemoryEtcd(clock);
  stops = [];
});

afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()));
  await clock.settle();
  expect(clock.pendingTimers).toBe(0);
});

interface Leader {
  store: MemoryStore;
  planner: Planner;
  view: ClusterView;
  fenced: number;
  trusted: boolean;
  stop: () => Promise<void>;
}

/** A planner in office; the leader key is put anew. */
async function lead(
  watchDelayMs: () => number = () => 0,
  beforeTxn: (leader: Leader) => void = () => undefined,
): Promise<Leader> {
  const store = etcd.connect({
    watchDelayMs,
    intercept: ({ method, phase }) => {
      if (method === 'txn' && phase === 'request') beforeTxn(leader);
    },
  });
  const log = silentLogger();
  const mirrors = [keys.mirrored, keys.mirroredWorkers].map(
    (range) => new Mirror(store, range, { clock, log, name: 'test', random: () => 0.5 }),
  );
  const view = new ClusterView(keys, mirrors[0]!, mirrors[1]!, () => undefined);
  const standby = new Standby(view, clock);
  const starting = Promise.all(mirrors.map((mirror) => mirror.start()));
  await clock.settle();
  await starting;
  etcd.txn({ compare: [], success: [{ type: 'delete', key: keys.leader }] });
  const { revision } = etcd.txn({ compare: [], success: [{ type: 'put', key: keys.leader, value: 'x' }] });
  let inOffice = true;
  const leader: Leader = { store, view, fenced: 0, trusted: true, planner: null!, stop: null! };
  leader.planner = new Planner(
    {
      ...{ store, keys, clock, log, view, standby, options: OPTIONS, random: () => 0.5 },
      isLeader: () => inOffice && leader.trusted,
      onFenced: () => {
        leader.fenced += 1;
        inOffice = false;
      },
    },
    { createRevision: revision, campaignedAtMs: clock.now() },
  );
  leader.stop = async () => {
    inOffice = false;
    await leader.planner.stop();
    standby.stop();
    await Promise.all(mirrors.map((mirror) => mirror.stop()));
  };
  stops.push(leader.stop);
  leader.planner.start();
  await clock.advance(100);
  return leader;
}

function putJob(name: string, schedule: string, more: object = {}): void {
  put(keys.job(name), JSON.stringify({ command: 'true', schedule, ...more }));
}

function put(key: string, value: string): void {
  etcd.txn({ compare: [], success: [{ type: 'put', key, value }] });
}

function remove(key: string): void {
  etcd.txn({ compare: [], success: [{ type: 'delete', key }] });
}

async function live(forMs: number): Promise<void> {
  for (let step = 0; step < forMs / 500; step += 1) {
    await clock.advance(500);
    finishDue();
  }
}

/** Puts of firings over a claimed one, or where a record stood. */
function repeated(): string[] {
  const wrong: string[] = [];
  const done = new Set<string>();
  const claimed = new Set<string>();
  for (const { events } of etcd.changes) {
    for (const event of events) {
      if (event.type !== 'put') continue;
      const { key } = event.kv;
      if (key.startsWith(keys.runs)) done.add(key.slice(keys.runs.length));
      if (!key.startsWith(keys.firings)) continue;
      const runId = key.slice(keys.firings.length);
      if (done.has(runId) || claimed.has(runId)) wrong.push(runId);
      const decoded = decodeFiring(event.kv);
      if (decoded.ok && decoded.value.node !== null) claimed.add(runId);
    }
  }
  return wrong;
}

function at(job: string, second: number): FiringId {
  return { job, dueMs: START_MS + second * 1_000, suffix: null };
}

function firingSeconds(job: string): number[] {
  return etcd.range(keys.firingsOf(job)).kvs.map((kv) => (Date.parse(kv.key.slice(-24)) - START_MS) / 1_000);
}

function cursor(): CursorRecord {
  const decoded = decodeRecord(cursorRecordSchema, etcd.get(keys.cursor)!);
  if (!decoded.ok) throw new Error(decoded.problem);
  return decoded.value;
}

/** As a worker would. */
function claim(id: FiringId): void {
  const decoded = decodeFiring(etcd.get(keys.firing(id))!);
  if (!decoded.ok) throw new Error(decoded.problem);
  put(keys.firing(id), encodeFiring({ ...decoded.value, attempt: 1, node: 'w' }));
}

/** As a worker would, with everything that is due. */
function finishDue(): void {
  for (const kv of etcd.range(prefixRange(keys.firings)).kvs) {
    if (Date.parse(kv.key.slice(-24)) > clock.now()) continue;
    const run = keys.runs + kv.key.slice(keys.firings.length);
    etcd.txn({
      compare: [],
      success: [
        { type: 'delete', key: kv.key },
        { type: 'put', key: run, value: encodeRun(emptyRecord('succeeded', null, clock.now())) },
      ],
    });
  }
}

describe('planning ahead', () => {
  it('plans up to the horizon, each due time once', async () => {
    putJob('a', SECONDLY);
    putJob('b', '*/5 * * * * *');
    await lead();
    expect(firingSeconds('b')).toEqual([5, 10, 15]);
    await clock.advance(4_000);
    expect(firingSeconds('a')).toEqual(Array.from({ length: 19 }, (_, index) => index + 1));
    const puts = etcd.changes.flatMap(({ events }) =>
      events.filter((event) => event.type === 'put' && event.kv.key.startsWith(keys.firings)),
    );
    expect(puts.every((event) => event.type === 'put' && event.kv.version === 1)).toBe(true);
  });

  it('judges a firing with jitter from its start on, however late that is', async () => {
    const job = { name: 'a', jitterMs: 55_000 };
    putJob('a', '* * * * *', { jitter: '55s', misfire: 'skip' });
    await lead();
    const schedule = parseSchedule('* * * * *', 'UTC');
    const starts = [60, 120, 180, 240].map((second) => {
      const start = jitteredStart(job, schedule, at('a', second).dueMs)!;
      return { second, overdueMs: start + OPTIONS.misfireAfterMs };
    });
    for (let elapsed = 0; elapsed < 310; elapsed += 1) {
      await clock.advance(1_000);
      for (const { second, overdueMs } of starts) {
        const isPlanned = firingSeconds('a').includes(second);
        if (clock.now() > START_MS + second * 1_000 && clock.now() <= overdueMs) expect(isPlanned).toBe(true);
        if (clock.now() > overdueMs + 2 * OPTIONS.strideMs) expect(isPlanned).toBe(false);
      }
    }
    const counts = etcd.range(keys.runsOf('a')).kvs.map((kv) => {
      const record = decodeRun(kv);
      return record.ok ? record.value.missed?.count : null;
    });
    expect(counts).toEqual([1, 1, 1, 1]);
  });

  it('never puts a firing without a cursor that stands behind it', async () => {
    for (let index = 0; index < 40; index += 1) putJob(`job-${String(index).padStart(2, '0')}`, SECONDLY);
    const first = await lead();
    await first.stop();
    await clock.advance(9_000);
    const from = etcd.revision;
    await lead();
    let batches = 0;
    for (const { revision, events } of etcd.changes) {
      const dues = events.flatMap((event) =>
        event.type === 'put' && event.kv.key.startsWith(keys.firings)
          ? [Date.parse(event.kv.key.slice(-24))]
          : [],
      );
      if (revision <= from || dues.length === 0) continue;
      batches += 1;
      const moved = events.find((event) => event.type === 'put' && event.kv.key === keys.cursor);
      if (moved?.type !== 'put') throw new Error('no cursor beside the firings');
      const decoded = decodeRecord(cursorRecordSchema, moved.kv);
      expect(decoded.ok && decoded.value.plannedThrough.due).toBeGreaterThanOrEqual(Math.max(...dues));
    }
    expect(batches).toBeGreaterThan(1);
  });

  it('writes nothing once it is deposed', async () => {
    putJob('a', SECONDLY);
    const leader = await lead();
    remove(keys.leader);
    const { revision } = etcd;
    await clock.advance(10_000);
    expect([etcd.revision, leader.fenced]).toEqual([revision, 1]);
  });

  it('leaves the rest to the next leader, which plans exactly that', async () => {
    putJob('a', SECONDLY);
    const first = await lead();
    await first.stop();
    await clock.advance(8_000);
    await lead();
    expect(firingSeconds('a')).toEqual(Array.from({ length: 23 }, (_, index) => index + 1));
  });

  it('goes on from a write of its own office that is applied after the cursor was taken up', async () => {
    putJob('job', SECONDLY);
    const first = await lead();
    await live(4_000);
    const before = etcd.get(keys.cursor)!;
    const older = decodeRecord(cursorRecordSchema, before);
    if (!older.ok) throw new Error(older.problem);
    await first.stop();
    // What an earlier term of the same leader had sent, and never heard of again, is applied just before our first write.
    const { plannedThrough, at } = older.value;
    const further: CursorRecord = {
      ...{ againThrough: null, jobsRevision: before.modRevision, at: at + 1_000 },
      plannedThrough: { due: plannedThrough.due + 2_000, job: null },
    };
    let isApplied = false;
    await lead(
      () => 200,
      () => {
        if (isApplied) return;
        isApplied = true;
        put(keys.cursor, encodeRecord(cursorRecordSchema, further));
      },
    );
    const seen: number[] = [];
    for (let step = 0; step < 10; step += 1) {
      await live(500);
      const now = decodeRecord(cursorRecordSchema, etcd.get(keys.cursor)!);
      if (now.ok) seen.push(now.value.plannedThrough.due);
    }
    expect(isApplied).toBe(true);
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(further.plannedThrough.due);
    expect(seen.at(-1)).toBeGreaterThan(further.plannedThrough.due);
  });

  it('does not take a cursor for written because it wanted to write it, when trust ends at the first try', async () => {
    putJob('a', SECONDLY);
    const first = await lead();
    await first.stop();
    await clock.advance(8_000);
    let tries = 0;
    const second = await lead(undefined, (leader) => {
      if ((tries += 1) > 1) return;
      leader.trusted = false;
      throw unreachable('the request got lost', true);
    });
    second.trusted = true;
    await clock.advance(3_000);
    expect(firingSeconds('a')).toEqual(Array.from({ length: 25 }, (_, index) => index + 1));
  });
});

describe('a changed job', () => {
  it('is planned from before the change, also where the mirror shows it with a younger cursor', async () => {
    let delayMs = 0;
    await lead(() => delayMs);
    await clock.advance(6_000);
    // From here on the mirror is 1.5 s behind, so that the edit and the cursor after it come in one batch.
    delayMs = 1_500;
    await clock.advanceTo(START_MS + 7_500);
    putJob('late', SECONDLY);
    await clock.advance(5_000);
    expect(cursor().jobsRevision).toBeGreaterThan(etcd.get(keys.job('late'))!.modRevision);
    expect(firingSeconds('late')).toEqual(expect.arrayContaining([8, 9, 10]));
  });

  it('keeps the due time of a claim that is given back, where the new schedule asks for it too', async () => {
    putJob('job', SECONDLY);
    await lead();
    await clock.advanceTo(START_MS + 4_600);
    const id = at('job', 5);
    const planned = etcd.get(keys.firing(id))!.value.toString();
    claim(id);
    await clock.settle();
    putJob('job', '*/5 * * * * *');
    await clock.advance(100);
    put(keys.firing(id), planned);
    await clock.advance(100);
    expect(firingSeconds('job').filter((second) => second >= 5)).toEqual([5, 10, 15]);
    const decoded = decodeFiring(etcd.get(keys.firing(id))!);
    expect(decoded.ok && decoded.value.fingerprint).not.toBe(
      (JSON.parse(planned) as { fingerprint: string }).fingerprint,
    );
  });

  it('has its given-back claims voided when it does not ask for them any more', async () => {
    putJob('job', SECONDLY);
    await lead();
    const id = at('job', 4);
    const planned = etcd.get(keys.firing(id))!.value.toString();
    claim(id);
    await clock.settle();
    remove(keys.job('job'));
    await clock.advance(100);
    expect(firingSeconds('job')).toEqual([4]);
    put(keys.firing(id), planned);
    await clock.advance(100);
    expect(firingSeconds('job')).toEqual([]);
  });

  it('is not planned by its old schedule when it changes in the middle of a pass', async () => {
    putJob('job', SECONDLY);
    const leader = await lead();
    await clock.advance(3_900);
    // The next pass is held up at its first write, that of another job; meanwhile `job` is edited.
    let edited = false;
    leader.store.intercept = ({ method, args, phase }) => {
      if (edited || method !== 'txn' || phase !== 'reply') return;
      if (!JSON.stringify(args).includes('firings/other')) return;
      edited = true;
      putJob('job', '*/7 * * * * *');
      return new Promise((resolve) => void clock.setTimer(2_500, resolve));
    };
    putJob('other', SECONDLY);
    await clock.advance(10_000);
    expect(edited).toBe(true);
    expect(firingSeconds('job').filter((second) => second > 7 && second % 7 !== 0)).toEqual([]);
    expect(firingSeconds('job')).toEqual(expect.arrayContaining([14, 21]));
  });

  it('stops no other job where a future due time has its record already', async () => {
    putJob('job', '*/5 * * * * *');
    await lead();
    const id = at('job', 10);
    etcd.txn({
      compare: [],
      success: [
        { type: 'delete', key: keys.firing(id) },
        { type: 'put', key: keys.run(id), value: encodeRun(emptyRecord('killed', 'early', clock.now())) },
      ],
    });
    putJob('job', '*/2 * * * * *');
    putJob('other', SECONDLY);
    await clock.advance(1_500);
    expect(firingSeconds('other').length).toBeGreaterThan(10);
    expect(firingSeconds('job')).toContain(12);
    expect(firingSeconds('job')).not.toContain(10);
  });
});

describe('a damaged cursor', () => {
  const damage: [string, () => void][] = [
    ['deleted', () => remove(keys.cursor)],
    ['garbage', () => put(keys.cursor, 'garbage')],
    [
      'far in the future',
      () => put(keys.cursor, encodeRecord(cursorRecordSchema, cursorAt(400 * 86_400_000))),
    ],
    ['in the past', () => put(keys.cursor, encodeRecord(cursorRecordSchema, cursorAt(-3_600_000)))],
  ];

  function cursorAt(offsetMs: number): CursorRecord {
    const dueMs = clock.now() + offsetMs;
    return {
      plannedThrough: { due: dueMs, job: null },
      jobsRevision: etcd.revision,
      at: dueMs,
      againThrough: null,
    };
  }

  it.each(damage)('%s, in office: nothing is planned twice and nothing left out', async (_, spoil) => {
    putJob('job', SECONDLY);
    await lead();
    await live(20_000);
    claim(at('job', 22));
    await clock.settle();
    spoil();
    await live(20_000);
    expect(repeated()).toEqual([]);
    for (let second = 1; second < 55; second += 1) {
      const id = at('job', second);
      expect([second, etcd.get(keys.run(id)) !== null || etcd.get(keys.firing(id)) !== null]).toEqual([
        second,
        true,
      ]);
    }
  });

  it.each(damage.slice(0, 3))('%s, for a new leader: the same', async (_, spoil) => {
    putJob('job', SECONDLY);
    const first = await lead();
    await live(20_000);
    claim(at('job', 22));
    await first.stop();
    spoil();
    await lead();
    await live(20_000);
    expect(repeated()).toEqual([]);
    for (let second = 21; second < 50; second += 1) {
      const id = at('job', second);
      expect([second, etcd.get(keys.run(id)) !== null || etcd.get(keys.firing(id)) !== null]).toEqual([
        second,
        true,
      ]);
    }
  });
});

it('plans what an edit asks for where the cursor lies in the past and the mirror is late', async () => {
  putJob('job', SECONDLY);
  const first = await lead();
  await clock.advance(5_000);
  await first.stop();
  const [before] = etcd.range(singleKey(keys.cursor)).kvs;
  const decoded = decodeRecord(cursorRecordSchema, before!);
  if (!decoded.ok) throw new Error(decoded.problem);
  const plannedThrough = { due: clock.now() - 1_000, job: null };
  put(keys.cursor, encodeRecord(cursorRecordSchema, { ...decoded.value, plannedThrough }));
  putJob('job', '*/2 * * * * *');
  await lead(() => 400);
  await clock.advance(4_000);
  expect(firingSeconds('job').filter((second) => second > 6 && second <= 20)).toEqual([
    8, 10, 12, 14, 16, 18, 20,
  ]);
});

describe('leaders whose clocks disagree by minutes', () => {
  it.each([
    ['the second one is behind', -300_000],
    ['the second one is ahead', 300_000],
  ])('plan nothing twice: %s', async (_, offsetMs) => {
    putJob('job', SECONDLY, { misfire: { policy: 'all', limit: 1_000 } });
    const first = await lead();
    await live(20_000);
    await first.stop();
    clock.stepWall(offsetMs);
    const second = await lead();
    await live(6_000);
    await second.stop();
    clock.stepWall(-offsetMs);
    const third = await lead();
    await live(6_000);
    await third.stop();
    await lead();
    await live(10_000);
    expect(repeated()).toEqual([]);
    const nowSecond = Math.floor((clock.now() - START_MS) / 1_000);
    for (let second = 1; second <= nowSecond + 10; second += 1) {
      const id = at('job', second);
      const isKnown = etcd.get(keys.run(id)) !== null || etcd.get(keys.firing(id)) !== null;
      expect([second, isKnown]).toEqual([second, true]);
    }
  });
});

describe('a leader whose wall clock is set', () => {
  it('plans nothing twice and loses nothing', async () => {
    putJob('job', SECONDLY, { misfire: 'all' });
    await lead();
    await clock.advance(5_000);
    clock.stepWall(-30_000);
    await clock.advance(10_000);
    putJob('new', SECONDLY);
    await clock.advance(4_000);
    clock.stepWall(30_000);
    await clock.advance(20_000);
    const all = firingSeconds('job');
    expect(all.slice(0, 50)).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 1).slice(0, all.length),
    );
    expect(firingSeconds('new').length).toBeGreaterThan(10);
  });
});

it('decodes what it puts', () => {
  const text = encodeFiring(plannedFiring('f', true));
  expect(decodeFiring({ value: Buffer.from(text) })).toEqual({ ok: true, value: plannedFiring('f', true) });
});
