/** What an execution tells the watchdog, and what it makes of an end that the watchdog brought about. */
import { expect, it, vi } from 'vitest';
import { Execution, type ExecutionContext } from '../../src/claim/execution.js';
import { Keys } from '../../src/etcd/keys.js';
import type { Txn, TxnResult } from '../../src/etcd/store.js';
import { parseJobValue } from '../../src/jobs/index.js';
import type { PreparedTask, RunEnding, RunResult } from '../../src/run/executor.js';
import type { WorkerWatch } from '../../src/run/watchdog/worker-watch.js';
import { silentLogger } from '../../src/telemetry/logger.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import { MemoryEtcd } from '../../src/testing/memory-etcd.js';
import { decodeFiring, plannedFiring } from '../../src/view/firing-record.js';

const DUE_MS = Date.UTC(2026, 0, 1, 12);
const NO_OUTPUT = { text: '', truncated: false, totalBytes: 0 };
const KILLED: RunEnding = { kind: 'signalled', signal: 'SIGKILL' };

async function execute(
  recovery: 'rerun' | 'abandon',
  during: (execution: Execution) => boolean,
  ending = KILLED,
  pid: number | null = 7,
) {
  const clock = new FakeClock(DUE_MS);
  const keys = new Keys('/cron');
  const calls: string[] = [];
  const told =
    (name: string) =>
    (facts: unknown): void =>
      void calls.push(`${name} ${JSON.stringify(facts)}`);
  const watchdog: WorkerWatch = {
    setSession: vi.fn(),
    clearSession: vi.fn(),
    runStarting: told('starting'),
    runStarted: told('started'),
    runEnded: told('ended'),
  };
  let end!: (result: RunResult) => void;
  const prepared: PreparedTask = {
    marker: 'm',
    hasProcesses: pid !== null,
    start: () => {
      calls.push('spawn');
      const result = new Promise<RunResult>((resolve) => (end = resolve));
      return { pid, processGroupId: pid, marker: 'm', startedAtMs: DUE_MS, kill: () => undefined, result };
    },
  };
  let trusted = true;
  const txns: Txn[] = [];
  const never = new AbortController().signal;
  const context: ExecutionContext = {
    ...{
      keys,
      clock,
      watchdog,
      log: silentLogger(),
      random: () => 0.5,
      store: new MemoryEtcd(clock).connect(),
    },
    ...{ nodeId: 'a-1', worker: 'a', killGraceMs: 1, maxCrashes: 3 },
    ...{ sessionEnded: never, stopped: never, over: never, callAt: () => undefined },
    prepareTask: () => prepared,
    isClockRight: () => true,
    isTrusted: () => trusted,
    submit: (txn) => {
      txns.push(txn);
      return new Promise<TxnResult>(() => undefined);
    },
  };
  const parsed = parseJobValue('job', JSON.stringify({ schedule: '@daily', command: 'x', recovery }));
  if (!parsed.ok) throw new Error('the job is broken');
  const id = { job: 'job', dueMs: DUE_MS, suffix: null };
  const before = plannedFiring('f');
  const firing = { ...before, attempt: 1, node: 'a-1' };
  const claim = { id, fencingToken: 1, before, firing, counted: null };
  const execution = new Execution(context, claim, parsed.job);
  execution.tryStart();
  trusted = during(execution);
  const times = { startedAtMs: DUE_MS, endedAtMs: DUE_MS, durationMs: 0 };
  end({ ending, ...times, stdout: NO_OUTPUT, stderr: NO_OUTPUT, leftovers: 0 });
  await clock.settle();
  const puts = txns.flatMap(({ success }) => success.flatMap((op) => (op.type === 'put' ? [op] : [])));
  return { calls, puts, keys, id };
}

it('tells the watchdog nothing of a run without processes', async () => {
  const { calls } = await execute('rerun', () => true, { kind: 'completed' }, null);
  expect(calls).toEqual(['spawn']);
});

it('tells the watchdog before there is a process, and when there is none any more', async () => {
  const { calls } = await execute('rerun', () => true);
  expect(calls).toEqual([
    'starting {"marker":"m","recovery":"rerun"}',
    'spawn',
    'started {"marker":"m","processGroupId":7}',
    'ended "m"',
  ]);
});

it.each([
  ['trust has ended, which nobody has noticed yet', () => false],
  [
    'trust had ended and came back before the end was seen',
    (execution: Execution) => {
      execution.trustLost();
      return true;
    },
  ],
])('hands a run back that was killed from outside when %s', async (_, during) => {
  const { puts, keys, id } = await execute('rerun', during);
  expect(puts.map(({ key }) => key)).toEqual([keys.firing(id)]);
  expect(decodeFiring({ value: Buffer.from(puts[0]!.value) })).toMatchObject({
    ok: true,
    value: { attempt: 1, crashes: 1, node: null },
  });
});

it.each([
  ['while the lease is trusted', 'rerun', true, KILLED],
  ['that is no business of the watchdog', 'abandon', false, KILLED],
  ['by another signal', 'rerun', false, { kind: 'signalled', signal: 'SIGSEGV' }],
] as const)('takes an end by a signal %s for a failure', async (_, recovery, trusted, ending) => {
  const { puts, keys, id } = await execute(recovery, () => trusted, ending);
  expect(puts.map(({ key }) => key)).toEqual([keys.run(id)]);
  expect(JSON.parse(puts[0]!.value.toString())).toMatchObject({ outcome: 'failed' });
});
