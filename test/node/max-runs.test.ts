import { afterEach, beforeEach, expect, it } from 'vitest';
import { MemoryCluster } from '../support/memory-cluster.js';

const SECONDLY = '* * * * * *';

let cluster: MemoryCluster;

beforeEach(async () => {
  cluster = new MemoryCluster();
  await cluster.addNodes('a', 'b', 'c');
});

afterEach(() => {
  expect(cluster.violations()).toEqual([]);
});

/** The due times that were run, by anybody, as seconds since the first. */
function ran(job: string): number[] {
  const dues = [
    ...new Set(
      cluster.processes.filter(({ runId }) => runId.startsWith(`${job}/`)).map(({ dueMs }) => dueMs),
    ),
  ];
  dues.sort((a, b) => a - b);
  return dues.map((due) => (due - dues[0]!) / 1_000);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

function count(job: string): unknown {
  const kv = cluster.etcd.get(cluster.keys.count(job));
  return kv && (JSON.parse(kv.value.toString()) as { runs: number }).runs;
}

it('runs a job so many times, and plans no more of it', async () => {
  await cluster.putJob('job', { schedule: SECONDLY, maxRuns: 7 });
  await cluster.putJob('other', { schedule: SECONDLY });
  await cluster.clock.advance(60_000);
  expect(ran('job')).toEqual(upTo(7));
  expect(cluster.firings('job')).toEqual([]);
  expect([...cluster.records('job').values()].map(({ outcome }) => outcome)).toEqual(
    Array(7).fill('succeeded'),
  );
  expect(count('job')).toBe(7);
  expect(ran('other').length).toBeGreaterThan(50);
});

it('never runs one too many where several are due at once and all race for the last ones', async () => {
  for (const node of [...cluster.nodes]) node.crash();
  const jobs = upTo(8).map((index) => `job-${index}`);
  for (const job of jobs)
    await cluster.putJob(job, { schedule: SECONDLY, maxRuns: 3, overlap: 'allow', misfire: 'all' });
  await cluster.addNodes('d', 'e', 'f');
  await cluster.clock.advance(4_000);
  for (const node of [...cluster.nodes]) node.crash();
  await cluster.clock.advance(60_000);
  for (const job of jobs)
    await cluster.putJob(job, { schedule: SECONDLY, maxRuns: 9, overlap: 'allow', misfire: 'all' });
  await cluster.addNodes('g', 'h', 'i');
  await cluster.clock.advance(60_000);
  for (const job of jobs) {
    expect([job, ran(job).length]).toEqual([job, 9]);
    expect([job, cluster.firings(job)]).toEqual([job, []]);
  }
});

it('counts on when the leader dies and when a worker does, and a run that is tried again counts once', async () => {
  await cluster.putJob('job', {
    schedule: '*/3 * * * * *',
    maxRuns: 24,
    command: 'run 1000 exit 1 until 2',
    retries: { attempts: 3, delay: '500ms' },
    overlap: 'allow',
  });
  for (let round = 0; round < 4; round += 1) {
    await cluster.clock.advance(17_700);
    cluster.leader()!.crash();
    await cluster.addNodes(`late-${round}`);
  }
  await cluster.clock.advance(120_000);
  expect(ran('job').length).toBe(24);
  expect(count('job')).toBe(24);
  expect(cluster.firings('job')).toEqual([]);
});

it('does not count what was skipped, or given back before it began', async () => {
  await cluster.putJob('job', { schedule: SECONDLY, maxRuns: 5, command: 'run 2500' });
  await cluster.clock.advance(3_700);
  // Claims ahead of their due time are given back: others take them, or they are skipped.
  const [first] = cluster.nodes;
  const stopping = first!.node.stop();
  await cluster.clock.advance(60_000);
  await stopping;
  expect(ran('job').length).toBe(5);
  expect(count('job')).toBe(5);
  expect(
    [...cluster.records('job').values()].filter(({ outcome }) => outcome === 'skipped').length,
  ).toBeGreaterThan(5);
});

it('takes back what it counted when a claim is given back and the run does not come about', async () => {
  await cluster.putJob('job', { schedule: '0 * * * * *', maxRuns: 1, command: 'run 10' });
  await cluster.clock.advance(59_600);
  expect(count('job')).toBe(1);
  // Edited while the claim waits for its due time: the firing goes, and the count with it.
  await cluster.putJob('job', { schedule: '30 * * * * *', maxRuns: 1, command: 'run 10' });
  await cluster.clock.advance(200);
  expect(count('job')).toBe(0);
  await cluster.clock.advance(120_000);
  expect(cluster.processes.map(({ dueMs }) => new Date(dueMs).getUTCSeconds())).toEqual([30]);
  expect(count('job')).toBe(1);
});

it('goes on where maxRuns is raised, and keeps its count through other edits', async () => {
  await cluster.putJob('job', { schedule: SECONDLY, maxRuns: 3 });
  await cluster.clock.advance(20_000);
  await cluster.putJob('job', { schedule: SECONDLY, maxRuns: 3, description: 'x' });
  await cluster.clock.advance(20_000);
  expect(ran('job')).toEqual([0, 1, 2]);
  const from = cluster.clock.now();
  await cluster.putJob('job', { schedule: SECONDLY, maxRuns: 5 });
  await cluster.clock.advance(20_000);
  expect(ran('job')).toHaveLength(5);
  // From then on, not from when it was done.
  expect(cluster.processes.filter(({ dueMs }) => dueMs > from - 4_000)).toHaveLength(2);
  await cluster.putJob('job', { schedule: SECONDLY, maxRuns: 4 });
  await cluster.clock.advance(20_000);
  expect(ran('job')).toHaveLength(5);
});

it('begins anew with a job that was deleted and put there again, and leaves no count of a deleted one', async () => {
  await cluster.putJob('job', { schedule: SECONDLY, maxRuns: 3 });
  await cluster.clock.advance(20_000);
  await cluster.deleteKey(cluster.keys.job('job'));
  await cluster.putJob('job', { schedule: SECONDLY, maxRuns: 2 });
  await cluster.clock.advance(20_000);
  expect(cluster.processes).toHaveLength(5);
  await cluster.deleteKey(cluster.keys.job('job'));
  await cluster.clock.advance(20_000);
  expect(cluster.etcd.get(cluster.keys.count('job'))).toBeNull();
});

it('does not count runs by hand', async () => {
  await cluster.putJob('job', { schedule: SECONDLY, maxRuns: 3, overlap: 'allow' });
  const byHand = (): string =>
    cluster.keys.firing({ job: 'job', dueMs: cluster.clock.now(), suffix: 'manual-1' });
  const manual = JSON.stringify({ origin: 'manual', fingerprint: '', attempt: 0 });
  await cluster.putKey(byHand(), manual);
  await cluster.clock.advance(20_000);
  expect(cluster.processes).toHaveLength(4);
  await cluster.putKey(byHand(), manual);
  await cluster.clock.advance(20_000);
  expect(cluster.processes).toHaveLength(5);
  expect(count('job')).toBe(3);
});

it.each([
  'nonsense',
  '{}',
  '{"job":1,"runs":-3,"at":"x"}',
  '{"job":0,"runs":9e99,"at":"2026-01-01T00:00:00.000Z"}',
  '\0',
])('takes %j in the place of the count for none', async (value) => {
  await cluster.putKey(cluster.keys.count('job'), value);
  await cluster.putKey(cluster.keys.counts, value);
  await cluster.putKey(cluster.keys.count('no/job'), value);
  await cluster.putJob('job', { schedule: SECONDLY, maxRuns: 3 });
  await cluster.clock.advance(20_000);
  expect(ran('job')).toEqual([0, 1, 2]);
  expect(count('job')).toBe(3);
  await cluster.putKey(cluster.keys.count('job'), value);
  await cluster.clock.advance(20_000);
  expect(ran('job').length).toBe(6);
});
