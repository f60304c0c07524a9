/** A claim that its worker comes to too late: `startDeadline`. */
import { describe, expect, it } from 'vitest';
import { Execution, type ExecutionContext } from '../../src/claim/execution.js';
import { Keys } from '../../src/etcd/keys.js';
import { put } from '../../src/etcd/txn.js';
import { decodeRun } from '../../src/history/run-record.js';
import { parseJobValue } from '../../src/jobs/index.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { encodeFiring, plannedFiring, type FiringRecord } from '../../src/view/firing-record.js';
import { decodeRunCount, encodeRunCount } from '../../src/view/run-count.js';

const DUE_MS = Date.UTC(2026, 0, 1, 12);
const keys = new Keys('/cron');
const id = { job: 'job', dueMs: DUE_MS, suffix: null };
const counted = { job: 1, runs: 4, at: DUE_MS };

/** A claim that gets its chance `lateMs` after its due time. */
async function startLate(lateMs: number, before: Partial<FiringRecord> = {}) {
  const clock = new FakeClock(DUE_MS - 500);
  const etcd = new MemoryEtcd(clock);
  const firing: FiringRecord = {
    ...plannedFiring('f'),
    ...before,
    attempt: (before.attempt ?? 0) + 1,
    node: 'a-1',
  };
  const { revision } = etcd.txn({
    compare: [],
    success: [
      put(keys.lock(id), 'x'),
      put(keys.firing(id), encodeFiring(firing)),
      put(keys.count(id.job), encodeRunCount(counted)),
    ],
  });
  let starts = 0;
  const store = etcd.connect();
  const never = new AbortController().signal;
  const context: ExecutionContext = {
    ...{ keys, clock, store, log: silentLogger(), random: () => 0.5 },
    ...{ nodeId: 'a-1', worker: 'a', killGraceMs: 1, maxCrashes: 3 },
    ...{ sessionEnded: never, stopped: never, over: never, callAt: () => undefined },
    prepareTask: () => ({
      ...{ marker: 'm', hasProcesses: false },
      start: () => {
        starts += 1;
        const result = new Promise<never>(() => undefined);
        return { pid: 7, processGroupId: 7, marker: 'm', startedAtMs: DUE_MS, kill: () => undefined, result };
      },
    }),
    isClockRight: () => true,
    isTrusted: () => true,
    submit: (txn) => store.txn(txn),
  };
  const parsed = parseJobValue(
    'job',
    JSON.stringify({ schedule: '@daily', command: 'x', startDeadline: '3s', maxRuns: 9 }),
  );
  if (!parsed.ok) throw new Error('the job is broken');
  const claim = {
    ...{ id, fencingToken: revision, firing, before: { ...plannedFiring('f'), ...before } },
    counted: (before.attempt ?? 0) === 0 ? counted : null,
  };
  const execution = new Execution(context, claim, parsed.job);
  await clock.advance(500 + lateMs);
  execution.tryStart();
  await clock.settle();
  const record = etcd.get(keys.run(id));
  const runs = decodeRunCount(etcd.get(keys.count(id.job))!).value!.runs;
  const isHeld = etcd.get(keys.lock(id)) !== null && etcd.get(keys.firing(id)) !== null;
  return { starts, runs, isHeld, record: record && decodeRun(record) };
}

describe('a claim that gets its chance late', () => {
  it('starts up to the deadline', async () => {
    expect(await startLate(3_000)).toEqual({ starts: 1, runs: 4, isHeld: true, record: null });
  });

  it('ends missed after it, with the reason, and does not count', async () => {
    const reason = 'not started within 3s (startDeadline): its worker came to it 3s1ms late';
    expect(await startLate(3_001)).toEqual({
      ...{ starts: 0, runs: 3, isHeld: false },
      record: {
        ok: true,
        value: expect.objectContaining({
          ...{ outcome: 'missed', reason, attempts: 0, worker: 'a' },
          missed: { from: DUE_MS, through: DUE_MS, count: 1, atLeast: false },
        }) as unknown,
      },
    });
  });

  it('starts however late where it is a later attempt, or asked for by hand', async () => {
    expect(await startLate(60_000, { attempt: 1 })).toMatchObject({ starts: 1, isHeld: true });
    expect(await startLate(60_000, { origin: 'manual' })).toMatchObject({ starts: 1, isHeld: true });
  });
});
