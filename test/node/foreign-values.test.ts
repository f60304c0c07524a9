/** Values that somebody else put where etcron keeps its own: by hand, by a script, in malice. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { formatRunId } from '../../src/etcd/keys.js';
import { parseJobValue } from '../../src/jobs/index.js';
import { encodeFiring, plannedFiring } from '../../src/view/firing-record.js';
import { createLogger } from '../../src/telemetry/logger.js';
import { MemoryCluster } from '../support/memory-cluster.js';

const SECONDLY = '* * * * * *';
let cluster: MemoryCluster;
let fromMs: number;
/** What nodes said since the beginning, from warnings on. */
let said: { readonly msg: string; readonly key?: string }[] = [];

/** Two nodes, and two jobs that have been running each second for a while. */
beforeEach(async () => {
  said = [];
  const write = (line: string): void => void said.push(JSON.parse(line) as (typeof said)[number]);
  cluster = new MemoryCluster({ log: createLogger({ level: 'warn', destination: { write } }) });
  await cluster.addNodes('a', 'b');
  for (const job of ['job', 'other']) await cluster.putJob(job, { schedule: SECONDLY });
  await cluster.clock.advance(3_000);
  fromMs = cluster.clock.now();
  await cluster.clock.advance(30_500);
});

/** All due times of both jobs since the beginning are accounted for, and the work goes on. */
afterEach(async () => {
  const { clock } = cluster;
  const before = clock.now();
  await clock.advance(40_000);
  for (const job of ['job', 'other']) {
    expect(cluster.accounting(job, SECONDLY, fromMs, clock.now() - 2_000)).toEqual([]);
    const late = cluster.processes.filter(
      (one) => one.runId.startsWith(`${job}/`) && one.dueMs > before + 20_000,
    );
    expect(late.length).toBeGreaterThan(15);
  }
  expect(cluster.stuck(15_000)).toEqual([]);
  await cluster.stop();
});

/** `offset` seconds from the last full second. */
function runIdAt(offset: number, suffix: string | null = null): string {
  const now = Math.floor(cluster.clock.now() / 1_000) * 1_000;
  return formatRunId({ job: 'job', dueMs: now + offset * 1_000, suffix });
}

function fingerprint(): string {
  const parsed = parseJobValue('job', cluster.etcd.get(cluster.keys.job('job'))!.value);
  return parsed.ok ? parsed.job.fingerprint : '';
}

describe('a firing that somebody puts', () => {
  it.each([
    ['of another schedule', () => 'x'],
    ['as the job has it', fingerprint],
  ])('where a record stands, %s, goes away and stops no planning', async (_, print) => {
    // One is a misfire, the other is not yet.
    const put = [runIdAt(-20), runIdAt(-3)];
    const times = (runId: string): number => cluster.processes.filter((one) => one.runId === runId).length;
    for (const runId of put) {
      expect(times(runId)).toBe(1);
      await cluster.putKey(cluster.keys.firings + runId, encodeFiring(plannedFiring(print())));
    }
    await cluster.clock.advance(20_000);
    expect(put.map((runId) => cluster.etcd.get(cluster.keys.firings + runId))).toEqual([null, null]);
    expect(times(put[0]!)).toBe(1);
  });

  it.each(['nonsense', '{}', '{"origin":"schedule","fingerprint":"x","attempt":-1}'])(
    'over one that was planned, as %s, does not lose the due time',
    async (value) => {
      await cluster.putKey(cluster.keys.firings + runIdAt(5), value);
    },
  );

  it('where one is to be planned does not keep an edited job from being planned', async () => {
    for (const offset of [3, 8, 14]) await cluster.putKey(cluster.keys.firings + runIdAt(offset), '\0');
    await cluster.putJob('job', { schedule: SECONDLY, timezone: 'Asia/Tokyo' });
  });

  it('with counts that cannot be counted on from does not run', async () => {
    const firing = { ...plannedFiring(fingerprint()), attempt: Number.MAX_SAFE_INTEGER, node: 'gone-aaaaaa' };
    await cluster.putKey(cluster.keys.firings + runIdAt(-5, 'x'), JSON.stringify(firing));
    await cluster.clock.advance(10_000);
    expect(cluster.processes.filter((one) => one.runId.endsWith('+x'))).toEqual([]);
    await cluster.deleteKey(cluster.keys.firings + runIdAt(-15, 'x'));
  });
});

describe('a claim without a lease', () => {
  it.each(['lock', 'slots'])('in %s/ is no claim: it is removed, and the job runs', async (kind) => {
    const key = kind === 'lock' ? cluster.keys.locks + runIdAt(5) : cluster.keys.slot('job', 0);
    // The last run has ended, the next one is not claimed yet.
    await cluster.clock.advance(700);
    await cluster.putKey(key, 'mine');
    await cluster.clock.advance(15_000);
    expect(cluster.etcd.get(key)?.value.toString()).not.toBe('mine');
    const outcomes = [...cluster.records('job').values()].map(({ outcome }) => outcome);
    expect(new Set(outcomes)).toEqual(new Set(['succeeded']));
  });

  it('does not keep a firing that lost its worker from its end', async () => {
    const runId = runIdAt(-30, 'manual-1');
    const firing = {
      ...plannedFiring(''),
      origin: 'manual' as const,
      attempt: 3,
      crashes: 2,
      node: 'gone-aaaaaa',
    };
    await cluster.putKey(cluster.keys.locks + runId, 'mine');
    await cluster.putKey(cluster.keys.firings + runId, encodeFiring(firing));
    await cluster.clock.advance(10_000);
    expect(cluster.records('job').get(runId)).toMatchObject({ outcome: 'lost', crashes: 3 });
  });
});

describe('a request to a worker', () => {
  const startedBy = (node: string): number => cluster.processes.filter((one) => one.node === node).length;

  it.each(['', 'yes', 'null', '[]', '{"by":1}', '{"at":"now"}', '{"reason":{}}', '\0'])(
    'to drain that is none (%j) is said once by each node, and no worker heeds it',
    async (value) => {
      const before = startedBy('a');
      for (const name of ['a', 'b', '', 'nobody', 'a/b'])
        await cluster.putKey(cluster.keys.drain(name), value);
      await cluster.clock.advance(20_000);
      expect(startedBy('a')).toBeGreaterThan(before);
      const about = said.filter(({ key }) => key === cluster.keys.drain('a'));
      expect(about.map(({ msg }) => msg)).toEqual(Array(2).fill(about[0]!.msg));
      expect(said.filter(({ key }) => key === undefined)).toEqual([]);
    },
  );

  it('to drain that somebody overwrites with nonsense holds no longer, and says so', async () => {
    const key = cluster.keys.drain('a');
    await cluster.putKey(key, '{}');
    await cluster.clock.advance(5_000);
    const before = startedBy('a');
    await cluster.clock.advance(20_000);
    expect(startedBy('a')).toBe(before);
    await cluster.putKey(key, '{}}');
    await cluster.clock.advance(20_000);
    expect(startedBy('a')).toBeGreaterThan(before);
    expect(said.filter((line) => line.key === key)).toHaveLength(2);
  });

  it('to drain, to whoever is there, leaves a leader; what is due waits for one that may run it', async () => {
    for (const name of ['a', 'b']) await cluster.putKey(cluster.keys.drain(name), '{}');
    await cluster.clock.advance(6_000);
    expect(cluster.leader()).toBeDefined();
    for (const name of ['a', 'b']) await cluster.deleteKey(cluster.keys.drain(name));
    await cluster.clock.advance(6_000);
  });

  it.each(['', 'yes', 'null', '[]', '{"by":1}', '{"to":[]}', '{"at":0}', '\0'])(
    'to hand over that is none (%j) leaves the leader in office, and is said once by each node',
    async (value) => {
      const before = cluster.leader();
      await cluster.putKey(cluster.keys.handover, value);
      await cluster.clock.advance(20_000);
      expect(cluster.leader()).toBe(before);
      const about = said.filter(({ key }) => key === cluster.keys.handover);
      expect(about).toHaveLength(2);
      expect(said).toHaveLength(2);
    },
  );

  it.each(['nobody', '', '__proto__', 'a/b', 'x'.repeat(100_000)])(
    'to hand over to somebody who is not there (%#) costs a moment, and is done with',
    async (to) => {
      await cluster.putKey(cluster.keys.handover, JSON.stringify({ to }));
      await cluster.clock.advance(10_000);
      expect(cluster.leader()).toBeDefined();
      await cluster.clock.advance(60_000);
      expect(cluster.etcd.get(cluster.keys.handover)).toBeNull();
      // Not the whole of it in each line of the log.
      expect(JSON.stringify(said).length).toBeLessThan(20_000);
    },
  );
});

describe('a cursor', () => {
  it('that names a revision yet to come is not believed by the next leader', async () => {
    const { clock, keys, etcd } = cluster;
    const cursor = JSON.parse(etcd.get(keys.cursor)!.value.toString()) as object;
    const leader = cluster.leader()!;
    leader.crash();
    await cluster.putKey(keys.cursor, JSON.stringify({ ...cursor, jobsRevision: Number.MAX_SAFE_INTEGER }));
    await cluster.addNodes('c');
    const newMs = clock.now() + 2_500;
    await cluster.putJob('new', { schedule: SECONDLY });
    await clock.advance(30_000);
    expect(cluster.accounting('new', SECONDLY, newMs, clock.now() - 2_000)).toEqual([]);
  });
});
