/** What an execution makes of a start that a launcher reports later, late, or never. */
import { describe, expect, it } from 'vitest';
import { Execution, type ExecutionContext } from '../../src/claim/execution.js';
import { Keys } from '../../src/etcd/keys.js';
import type { Txn, TxnResult } from '../../src/etcd/store.js';
import { parseJobValue } from '../../src/jobs/index.js';
import type { PreparedTask, RunEnding, RunResult, StartPermit } from '../../src/run/executor.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { decodeFiring, plannedFiring } from '../../src/view/firing-record.js';

const DUE_MS = Date.UTC(2026, 0, 1, 12);
const NO_OUTPUT = { text: '', truncated: false, totalBytes: 0 };
const LOST: RunEnding = { kind: 'lost', reason: 'the launcher died' };
const NOT_STARTED: RunEnding = { kind: 'not-started', reason: 'not in time' };

/** Starts a firing 10 ms late through a launcher; `during` may move the clock before it reports `ending`. */
async function execute(
  job: Record<string, unknown>,
  ending: RunEnding,
  during: (clock: FakeClock) => Promise<void> = async () => undefined,
) {
  const clock = new FakeClock(DUE_MS + 10);
  const keys = new Keys('/cron');
  const events: string[] = [];
  let permit!: StartPermit;
  let begin!: (begun: boolean) => void;
  let end!: (result: RunResult) => void;
  const prepared: PreparedTask = {
    marker: 'm',
    hasProcesses: true,
    start: (mayStart) => {
      permit = mayStart!;
      const running = {
        ...{ pid: null as number | null, processGroupId: null as number | null, startTicks: 5, marker: 'm' },
        startedAtMs: DUE_MS + 10,
        kill: () => undefined,
        begun: new Promise<boolean>((resolve) => {
          begin = (begun) => {
            if (begun) Object.assign(running, { pid: 7, processGroupId: 7, startedAtMs: DUE_MS + 25 });
            resolve(begun);
          };
        }),
        result: new Promise<RunResult>((resolve) => (end = resolve)),
      };
      return running;
    },
  };
  const txns: Txn[] = [];
  const never = new AbortController().signal;
  const context: ExecutionContext = {
    ...{ keys, clock, log: silentLogger(), random: () => 0.5, store: new MemoryEtcd(clock).connect() },
    ...{ nodeId: 'a-1', worker: 'a', killGraceMs: 1, maxCrashes: 3 },
    ...{ sessionEnded: never, stopped: never, over: never, callAt: () => undefined },
    prepareTask: () => prepared,
    isClockRight: () => true,
    isTrusted: () => true,
    trustedForMs: () => 8_000,
    watchdog: {
      setSession: () => undefined,
      clearSession: () => undefined,
      runStarting: ({ marker }) => void events.push(`starting ${marker}`),
      runStarted: (facts) => void events.push(`started ${JSON.stringify(facts)}`),
      runEnded: (marker) => void events.push(`ended ${marker}`),
    },
    observer: {
      runStarted: (_, latenessMs) => void events.push(`lateness ${latenessMs}`),
      runEnded: (_, { outcome }, next) => void events.push(`${outcome} ${next}`),
    },
    submit: (txn) => {
      txns.push(txn);
      return new Promise<TxnResult>(() => undefined);
    },
  };
  const parsed = parseJobValue('job', JSON.stringify({ schedule: '@daily', command: 'x', ...job }));
  if (!parsed.ok) throw new Error('the job is broken');
  const before = plannedFiring('f');
  const claim = {
    id: { job: 'job', dueMs: DUE_MS, suffix: null },
    ...{ fencingToken: 1, before, counted: null },
    firing: { ...before, attempt: 1, node: 'a-1' },
  };
  const execution = new Execution(context, claim, parsed.job);
  execution.tryStart();
  const permitted = permit();
  await during(clock);
  begin(ending.kind !== 'not-started');
  end({
    ...{ ending, startedAtMs: DUE_MS + 25, endedAtMs: DUE_MS + 30, durationMs: 5 },
    ...{ stdout: NO_OUTPUT, stderr: NO_OUTPUT, leftovers: 0 },
  });
  await clock.settle();
  const puts = txns.flatMap(({ success }) => success.flatMap((op) => (op.type === 'put' ? [op] : [])));
  return { events, permitted, key: puts[0]?.key, value: puts[0]?.value ?? '', keys, id: claim.id };
}

const firingIn = (value: string | Uint8Array) => {
  const decoded = decodeFiring({ value: Buffer.from(value as string) });
  return decoded.ok ? decoded.value : null;
};
const recordIn = (value: string | Uint8Array): unknown => JSON.parse(Buffer.from(value as string).toString());

describe('a start through a launcher', () => {
  it('is told to the watchdog and counted when it is known', async () => {
    const { events, value } = await execute({}, { kind: 'exited', exitCode: 0 });
    expect(events).toEqual([
      'starting m',
      'started {"marker":"m","processGroupId":7,"startTicks":5}',
      'lateness 25',
      'ended m',
      'succeeded recorded',
    ]);
    expect(recordIn(value)).toMatchObject({ outcome: 'succeeded', latenessMs: 25 });
  });

  it('is allowed for as long as the lease is trusted, and no longer than the deadline of the job', async () => {
    const ending: RunEnding = { kind: 'exited', exitCode: 0 };
    expect((await execute({}, ending)).permitted).toBe(8_000);
    expect((await execute({ startDeadline: '2s' }, ending)).permitted).toBe(1_990);
  });
});

describe('a run that was lost with its launcher', () => {
  it('is a crash: it is run again', async () => {
    const { events, key, value, keys, id } = await execute({}, LOST);
    expect([key, events.at(-1)]).toEqual([keys.firing(id), 'lost handed-over']);
    expect(firingIn(value)).toMatchObject({ attempt: 1, crashes: 1, node: null });
  });

  it('is recorded as lost where it must not run again', async () => {
    const { key, value, keys, id } = await execute({ recovery: 'abandon', retries: { attempts: 4 } }, LOST);
    expect(key).toBe(keys.run(id));
    expect(recordIn(value)).toMatchObject({ outcome: 'lost', reason: 'the launcher died', attempts: 1 });
  });
});

describe('a run that was not begun', () => {
  it.each(['rerun', 'abandon'])('is given back as if it had not been claimed (%s)', async (recovery) => {
    const { events, key, value, keys, id } = await execute({ recovery }, NOT_STARTED);
    expect([key, events]).toEqual([keys.firing(id), ['starting m', 'ended m']]);
    expect(firingIn(value)).toMatchObject({ attempt: 0, crashes: 0, node: null });
  });

  it('is missed when its deadline is over', async () => {
    const late = (clock: FakeClock): Promise<void> => clock.advance(3_000);
    const { key, value, keys, id } = await execute({ startDeadline: '2s' }, NOT_STARTED, late);
    expect(key).toBe(keys.run(id));
    expect(recordIn(value)).toMatchObject({ outcome: 'missed', attempts: 0 });
  });
});
