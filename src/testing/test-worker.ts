/** One worker of a test cluster: a whole node of the library on the cluster's clock and its in-memory etcd. */
import { setTimeout as realTimeout, clearTimeout as clearRealTimeout } from 'node:timers';
import type { Keys } from '../etcd/keys.js';
import { EtcronNode } from '../library/create-node.js';
import type { ResolvedOptions } from '../library/options.js';
import type { NodeOptions } from '../node/options.js';
import type { Random } from '../random.js';
import type { PreparedTask, PrepareTask, RunningTask } from '../run/executor.js';
import type { Handler, HandlerRun } from '../run/handler-task.js';
import { makePrepareTask } from '../run/executor.js';
import { prepareFake, type FakeTask } from './fake-task.js';
import type { FakeClock } from './fake-clock.js';
import type { MemoryEtcd } from './memory-etcd.js';
import { freezableStore } from './simulation/freezable-store.js';
import { freezableClock, Freezer } from './simulation/freezer.js';

/**
 * What is done every few seconds on real clusters, for the sake of failures that are noticed at once here, is done
 * seldom: a month has more than a million of such seconds.
 */
const SELDOM: Partial<NodeOptions> = {
  leaseTtlMs: 24 * 3_600_000,
  clockIntervalMs: 24 * 3_600_000,
  compareIntervalMs: 7 * 24 * 3_600_000,
  horizonMs: 5_400_000,
  strideMs: 3_600_000,
};
const HOUSEKEEPING_MS = 6 * 3_600_000;

export interface WorkerSetup {
  readonly name: string;
  readonly options: ResolvedOptions;
  readonly clock: FakeClock;
  readonly etcd: MemoryEtcd;
  readonly keys: Keys;
  readonly random: Random;
  readonly fake: FakeTask;
  readonly patienceMs: number;
}

export class TestWorker {
  readonly name: string;
  readonly node: EtcronNode;
  readonly #setup: WorkerSetup;
  readonly #freezer: Freezer;
  readonly #running = new Set<RunningTask>();
  readonly #crash: () => void;

  constructor(setup: WorkerSetup) {
    const { name, clock, etcd, keys, random, options } = setup;
    this.name = name;
    this.#setup = setup;
    this.#freezer = new Freezer(clock, random.fork('freezer'));
    const nodeClock = { ...freezableClock(clock, this.#freezer), isSteady: true };
    const store = etcd.connect({ name, clock: nodeClock });
    this.#crash = () => store.crash();
    const holds = new Holds(clock, setup.patienceMs);
    const handlers = new Map(
      [...options.handlers].map(([handler, one]) => [handler, holds.around(one)] as const),
    );
    const draws = random.fork('node');
    this.node = new EtcronNode(
      { ...options, handlers },
      {
        clock: nodeClock,
        random: () => draws.next(),
        open: () => Promise.resolve({ store: freezableStore(store, this.#freezer), keys, watchdog: null }),
        prepareTask: (prepareHandler) =>
          this.#watched((request, context) =>
            request.task.kind === 'handler'
              ? makePrepareTask({ prepareHandler })(request, context)
              : prepareFake(setup.fake, name, request, context),
          ),
        handlerHooks: { onSleep: (runId, isAsleep) => holds.sleep(runId, isAsleep) },
        nodeOptions: {
          ...SELDOM,
          ...{ host: 'memory', pid: 1, version: '0' },
          housekeeping: { ...options.node.housekeeping, intervalMs: HOUSEKEEPING_MS },
        },
      },
    );
  }

  /** It dies at once, and its watchdog does what a watchdog does: the lease is given back, what ran is ended. */
  kill(): void {
    const { etcd, keys } = this.#setup;
    const { nodeId } = this.node;
    this.#freezer.die();
    this.#crash();
    for (const running of this.#running) running.kill('the worker was killed', 0);
    const leaseId = nodeId === null ? null : (etcd.get(keys.worker(nodeId))?.leaseId ?? null);
    if (leaseId !== null) etcd.leaseRevoke(leaseId, `${this.name}'s watchdog`);
  }

  /** What a dead worker's runs come to is heard by nobody. */
  #watched(prepare: PrepareTask): PrepareTask {
    return (request, context): PreparedTask => {
      const prepared = prepare(request, context);
      return {
        ...prepared,
        start: () => {
          const running = prepared.start();
          this.#running.add(running);
          void running.result.then(() => this.#running.delete(running));
          return {
            ...running,
            result: new Promise((resolve) => {
              void running.result.then((result) => this.#freezer.pass(() => resolve(result)));
            }),
          };
        },
      };
    };
  }
}

/**
 * Time stands still while a handler works: it moves on when the handler is done or sleeps by `run.sleep`, or when it has
 * shown neither for `patienceMs` of real time (it waits for its signal, or for something that never comes).
 */
class Holds {
  readonly #clock: FakeClock;
  readonly #patienceMs: number;
  readonly #byRun = new Map<string, () => void>();

  constructor(clock: FakeClock, patienceMs: number) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  around({ schema, handle }: Handler): Handler {
    return {
      schema,
      handle: async (run: HandlerRun<never>) => {
        this.#begin(run.runId);
        try {
          return await handle(run);
        } finally {
          this.#end(run.runId);
        }
      },
    };
  }

  sleep(runId: string, isAsleep: boolean): void {
    if (isAsleep) this.#end(runId);
    else this.#begin(runId);
  }

  #begin(runId: string): void {
    this.#end(runId);
    const release = this.#clock.hold();
    const timer = realTimeout(release, this.#patienceMs);
    this.#byRun.set(runId, () => {
      clearRealTimeout(timer);
      release();
    });
  }

  #end(runId: string): void {
    this.#byRun.get(runId)?.();
    this.#byRun.delete(runId);
  }
}
