/** Each check on a cluster that is well, and on ones that are not. */
import { describe, expect, it } from 'vitest';
import type { EndpointStatus } from '../../../src/etcd/store.js';
import type { DoctorFacts, EtcdFacts } from '../../../src/cli/doctor/facts.js';
import { examine } from '../../../src/cli/doctor/run-doctor.js';
import type { Finding } from '../../../src/cli/doctor/finding.js';
import { CHECKS } from '../../../src/cli/doctor/checks.js';
import type { Snapshot } from '../../../src/operations/snapshot.js';
import type { FiringEntry, WorkerEntry } from '../../../src/view/cluster-view.js';
import { plannedFiring, type FiringRecord } from '../../../src/view/firing-record.js';
import { JobEntry } from '../../../src/view/job-entry.js';
import { decodeLimit } from '../../../src/view/limit-record.js';
import { parseRunId } from '../../../src/etcd/keys.js';

const NOW = Date.UTC(2026, 10, 21, 14);
const GIB = 2 ** 30;

function member(endpoint: string, changes: Partial<EndpointStatus> = {}): EndpointStatus {
  return {
    ...{ endpoint, version: '3.5.9', dbSizeBytes: 1e6, dbInUseBytes: 1e6, quotaBytes: 2 * GIB },
    ...{ isFull: false, isLeader: false, memberId: endpoint, raftIndex: '1' },
    ...changes,
  };
}

const kv = (key: string, value: unknown) => ({
  key,
  value: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
  ...{ createRevision: 1, modRevision: 1, version: 1, leaseId: null },
});

function job(name: string, definition: object | string): [string, JobEntry] {
  return [name, new JobEntry(name, kv(`/cron/jobs/${name}`, definition))];
}

function worker(name: string, changes: Partial<WorkerEntry['value']> = {}): WorkerEntry {
  return {
    nodeId: `${name}-aaaaaa`,
    ...{ createRevision: 1, modRevision: 1 },
    value: {
      ...{ name, host: name, pid: 1, version: '1.0.0', state: 'active', capacity: 10, labels: {} },
      ...{ handlers: [], startedAt: NOW - 60_000, clock: NOW, skewed: false, api: null },
      ...changes,
    },
  };
}

function firing(runId: string, changes: Partial<FiringRecord>): FiringEntry {
  return {
    ...{ id: parseRunId(runId)!, runId, createRevision: 1, modRevision: 1 },
    value: { ...plannedFiring('f', false, null), ...changes },
  };
}

const GOOD_ETCD: EtcdFacts = {
  members: [member('a', { isLeader: true }), member('b'), member('c')],
  silent: [],
  readsMs: [2, 3, 2],
  uncompacted: null,
  access: { isAuthenticated: true, isEncrypted: true, isLocal: false },
};
const GOOD_SNAPSHOT: Snapshot = {
  revision: 100,
  jobs: new Map([job('good', { schedule: '* * * * *', command: 'true' })]),
  firings: [firing('good/2026-11-21T14:01:00.000Z', {})],
  workers: [worker('w1'), worker('w2'), worker('w3')],
  limits: new Map(),
  drains: new Map(),
  leader: { nodeId: 'w1-aaaaaa', name: 'w1', since: NOW - 60_000 },
  cursor: {
    plannedThrough: { due: NOW + 14_000, job: null },
    jobsRevision: 1,
    at: NOW - 1_000,
    againThrough: null,
  },
};

function facts(
  changes: {
    etcd?: Partial<EtcdFacts>;
    snapshot?: Partial<Snapshot>;
  } & Partial<Pick<DoctorFacts, 'foreign' | 'clocks'>> = {},
): DoctorFacts {
  const { etcd, snapshot, ...rest } = changes;
  return {
    nowMs: NOW,
    snapshot: { ...GOOD_SNAPSHOT, ...snapshot },
    etcd: { ...GOOD_ETCD, ...etcd },
    foreign: [],
    clocks: ['w1', 'w2', 'w3'].map((name) => ({ nodeId: `${name}-aaaaaa`, aheadMs: -3 })),
    ...rest,
  };
}

type Brief = Pick<Finding, 'severity'> & { check: string; where: string };

function find(changes: Parameters<typeof facts>[0]): Brief[] {
  return examine(facts(changes)).flatMap(({ check, findings }) =>
    findings.map(({ severity, where }) => ({ check: check.name, severity, where: where.join(' | ') })),
  );
}

const jobs = (...entries: [string, JobEntry][]): Partial<Snapshot> => ({ jobs: new Map(entries) });

it('finds nothing in a cluster that is well', () => {
  expect(find({})).toEqual([]);
});

it('says of everything that it finds what to do', () => {
  const bad = examine(
    facts({
      etcd: { members: [member('a', { isFull: true, version: '3.3.1' })], silent: ['b'], readsMs: [900] },
      snapshot: { leader: null, workers: [] },
      foreign: [{ key: '/cron/x', problem: 'strange' }],
    }),
  ).flatMap(({ findings }) => findings);
  expect(bad.length).toBeGreaterThan(5);
  for (const { what, remedy } of bad) {
    expect(what).not.toMatch(/[.\n]$/);
    expect(remedy).toMatch(/^[A-Z][\s\S]+\.$/);
  }
});

describe('etcd', () => {
  it('with a member that does not answer', () => {
    expect(find({ etcd: { members: GOOD_ETCD.members.slice(0, 2), silent: ['c'] } })).toEqual([
      { check: 'etcd-members', severity: 'warning', where: 'c' },
    ]);
  });

  it('without a leader, with different or old versions, or alone', () => {
    expect(find({ etcd: { members: [member('a'), member('b'), member('c')] } })).toMatchObject([
      { check: 'etcd-members', severity: 'error' },
    ]);
    const versions = [member('a', { isLeader: true }), member('b', { version: '3.3.27' }), member('c')];
    expect(find({ etcd: { members: versions } })).toMatchObject([
      { check: 'etcd-members', severity: 'advice', where: 'a 3.5.9 | b 3.3.27 | c 3.5.9' },
      { check: 'etcd-members', severity: 'error', where: 'b 3.3.27' },
    ]);
    expect(find({ etcd: { members: [member('a', { isLeader: true })] } })).toMatchObject([
      { check: 'etcd-members', severity: 'advice' },
    ]);
  });

  it('whose database is nearly full, full, or never compacted', () => {
    const sized = (changes: Partial<EndpointStatus>): Partial<EtcdFacts> => ({
      members: [member('a', { isLeader: true, ...changes }), member('b'), member('c')],
    });
    expect(find({ etcd: sized({ dbSizeBytes: 1.7 * GIB }) })).toMatchObject([
      { check: 'etcd-database', severity: 'warning' },
    ]);
    expect(find({ etcd: sized({ isFull: true }) })).toMatchObject([
      { check: 'etcd-database', severity: 'error' },
    ]);
    expect(find({ etcd: { uncompacted: 500_000 } })).toMatchObject([
      { check: 'etcd-database', severity: 'warning' },
    ]);
  });

  it('that is slow, by its median', () => {
    expect(find({ etcd: { readsMs: [2, 2, 900] } })).toEqual([]);
    expect(find({ etcd: { readsMs: [2, 150, 900] } })).toMatchObject([
      { check: 'etcd-latency', severity: 'advice' },
    ]);
  });

  it('that lets everybody in, or listens in clear text to other machines', () => {
    const open = { isAuthenticated: false, isEncrypted: false, isLocal: false };
    expect(find({ etcd: { access: open } })).toMatchObject([
      { check: 'etcd-access', severity: 'advice' },
      { check: 'etcd-access', severity: 'advice' },
    ]);
    expect(find({ etcd: { access: { ...open, isLocal: true } } })).toHaveLength(1);
    expect(find({ etcd: { access: null } })).toEqual([]);
  });
});

describe('leader and workers', () => {
  it('nobody leads, or plans', () => {
    const cursor = { ...GOOD_SNAPSHOT.cursor!, plannedThrough: { due: NOW - 30_000, job: null } };
    expect(find({ snapshot: { leader: null, cursor } })).toMatchObject([
      { check: 'leadership', severity: 'error' },
      { check: 'leadership', severity: 'error' },
    ]);
  });

  it('nobody works, or one alone, or some are drained, or have other versions', () => {
    expect(find({ snapshot: { workers: [worker('w1', { state: 'draining' })] } })).toMatchObject([
      { check: 'workers', severity: 'error', where: 'w1-aaaaaa (draining)' },
    ]);
    expect(find({ snapshot: { workers: [worker('w1')] } })).toMatchObject([
      { check: 'workers', severity: 'advice', where: 'w1-aaaaaa' },
    ]);
    const drains = new Map([['w9', { by: 'anna', reason: 'disk', at: NOW - 3_600_000 }]]);
    expect(find({ snapshot: { drains } })).toMatchObject([
      { check: 'workers', severity: 'advice', where: 'w9, 1h ago by anna: disk' },
    ]);
    expect(find({ snapshot: { workers: [worker('w1'), worker('w2', { version: '0.9.0' })] } })).toMatchObject(
      [{ check: 'workers', severity: 'advice', where: '1.0.0: w1-aaaaaa | 0.9.0: w2-aaaaaa' }],
    );
  });

  it('a clock is off, by its own word or by what was heard', () => {
    expect(
      find({ snapshot: { workers: [worker('w1', { skewed: true }), worker('w2'), worker('w3')] } }),
    ).toMatchObject([{ check: 'clocks', severity: 'error', where: 'w1-aaaaaa' }]);
    const heard = (...ms: number[]) =>
      ms.map((aheadMs, index) => ({ nodeId: `w${index + 1}-aaaaaa`, aheadMs }));
    expect(find({ clocks: heard(-2, -4, 700) })).toMatchObject([
      { check: 'clocks', severity: 'warning', where: 'w3-aaaaaa 0.7 s ahead' },
    ]);
    expect(find({ clocks: heard(-2, -4, -5_000) })).toMatchObject([
      { check: 'clocks', severity: 'error', where: 'w3-aaaaaa 5.0 s behind' },
    ]);
    // Of two, nobody knows which.
    expect(find({ clocks: heard(-2, 3_000) })).toMatchObject([
      { check: 'clocks', severity: 'error', where: 'w1-aaaaaa 3.0 s behind | w2-aaaaaa 3.0 s ahead' },
    ]);
    // All agree, and differ from ours.
    expect(find({ clocks: heard(2_000, 2_010, 2_020) })).toMatchObject([
      { check: 'clocks', severity: 'advice' },
    ]);
  });

  it('there is no room', () => {
    const firings = Array.from({ length: 28 }, (_, index) =>
      firing(`good/2026-11-21T13:${10 + index}:00.000Z`, { node: 'w1-aaaaaa', attempt: 1 }),
    );
    expect(find({ snapshot: { firings } })).toMatchObject([{ check: 'capacity', severity: 'warning' }]);
  });
});

describe('jobs and firings', () => {
  it('a definition is broken', () => {
    expect(find({ snapshot: jobs(job('bad', { schedule: 'never', command: 'true' })) })).toMatchObject([
      { check: 'broken-jobs', severity: 'error', where: expect.stringContaining('bad: ') as string },
    ]);
  });

  it('a job will never run, or not within a year, or is paused', () => {
    const found = find({
      snapshot: jobs(
        job('over', { schedule: '* * * * *', command: 'true', endAt: '2026-01-01T00:00:00Z' }),
        job('far', { schedule: '0 0 29 2 *', command: 'true' }),
        job('paused', { schedule: '* * * * *', command: 'true', paused: { reason: 'moving' } }),
        job('a-while', { schedule: '* * * * *', command: 'true', paused: { until: '2026-11-22T00:00:00Z' } }),
      ),
    });
    expect(found).toMatchObject([
      { check: 'idle-jobs', severity: 'advice', where: 'over: done: never due again' },
      { check: 'idle-jobs', where: expect.stringContaining('far: 2028-02-29') as string },
      { check: 'idle-jobs', where: 'paused: moving' },
    ]);
  });

  it('nobody has the label or the handler, or a limit has no size, or the size 0', () => {
    const found = find({
      snapshot: {
        ...jobs(
          job('gpu', { schedule: '* * * * *', command: 'true', target: { with: { gpu: 'yes' } } }),
          job('code', { schedule: '* * * * *', handler: 'code' }),
          job('db', { schedule: '* * * * *', command: 'true', limits: ['db', 'zero'] }),
        ),
        limits: new Map([['zero', decodeLimit(kv('/cron/limits/zero', { size: 0 }))]]),
      },
    });
    expect(found).toMatchObject([
      {
        ...{ check: 'placement', severity: 'error' },
        where: 'gpu: 3 workers each have no label gpu=yes | code: 3 workers each have no handler code',
      },
      {
        check: 'placement',
        severity: 'warning',

        where: 'zero: db',
      },
      {
        check: 'placement',
        severity: 'error',

        where: 'db: db',
      },
    ]);
  });

  it('a run is overdue, or waits for very long', () => {
    const found = find({
      snapshot: {
        firings: [
          firing('good/2026-11-21T13:59:00.000Z', {}),
          firing('good/2026-11-21T13:58:00.000Z', { node: 'gone-aaaaaa', attempt: 1 }),
          firing('good/2026-11-21T12:00:00.000Z', { waiting: true }),
          firing('good/2026-11-21T13:30:00.000Z', { waiting: true }),
        ],
      },
    });
    expect(found).toMatchObject([
      {
        ...{ check: 'overdue-firings', severity: 'error' },
        where: expect.stringMatching(
          /^good\/.*13:59.*\| good\/.*13:58.*lost with its worker gone$/,
        ) as string,
      },
      { check: 'overdue-firings', severity: 'warning', where: expect.stringContaining('12:00') as string },
    ]);
  });

  it('settings are surely not meant so', () => {
    const slow = { schedule: '* * * * *', command: 'true', timeout: '10m', overlap: 'skip' };
    expect(find({ snapshot: jobs(job('slow', slow)) })).toMatchObject([
      { check: 'doubtful-jobs', severity: 'advice' },
    ]);
  });

  it('keys are foreign', () => {
    expect(find({ foreign: [{ key: '/cron/x', problem: 'means nothing' }] })).toEqual([
      { check: 'foreign-keys', severity: 'warning', where: '/cron/x: means nothing' },
    ]);
  });
});

it('no check has the name of another', () => {
  expect(new Set(CHECKS.map(({ name }) => name)).size).toBe(CHECKS.length);
});
