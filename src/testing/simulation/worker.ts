/** One worker of the simulation: a whole node on a machine with a clock of its own, and its watchdog. */
import type { Clock } from '../../clock.js';
import type { Keys } from '../../etcd/keys.js';
import type { Store } from '../../etcd/store.js';
import { Node } from '../../node/node.js';
import { NODE_DEFAULTS, type NodeOptions } from '../../node/options.js';
import type { Random } from '../../random.js';
import { silentLogger } from '../../telemetry/logger.js';
import type { FakeClock, SkewedClock } from '../fake-clock.js';
import type { MemoryEtcd } from '../memory-etcd.js';
import type { InterceptedCall, MemoryStore } from '../memory-store.js';
import { freezableStore } from './freezable-store.js';
import { Freezer, freezableClock } from './freezer.js';
import { Network } from './network.js';
import { prepareSimulated, type ObservedProcess, type SimulatedProcess } from './process.js';
import { SimulatedWatchdog } from './watchdog.js';

/** How a mutant bends what a node works with; for showing that the checks see it. */
export interface Mutation {
  readonly store?: (store: Store, worker: string) => Store;
  readonly clock?: (clock: Clock, worker: string) => Clock;
  readonly withoutWatchdog?: boolean;
  readonly options?: Partial<NodeOptions>;
}

export interface WorkerSetup {
  readonly name: string;
  readonly clock: FakeClock;
  readonly etcd: MemoryEtcd;
  readonly keys: Keys;
  readonly random: Random;
  readonly skewMs: number;
  readonly rate: number;
  readonly options: Partial<NodeOptions>;
  readonly mutation: Mutation;
  readonly onProcess: (process: ObservedProcess) => void;
  readonly onCall: (worker: SimulatedWorker, call: InterceptedCall) => void;
}

/** A right clock is within this of the true time. */
export const MAX_SKEW_MS = 500;

const log = silentLogger();
/** A cut connection is noticed at times at once, at times only by the silence. */
const MAX_NOTICE_MS = 3_000;

export class SimulatedWorker {
  readonly name: string;
  readonly node: Node;
  readonly network: Network;
  readonly wall: SkewedClock;
  skewMs: number;
  isCut = false;
  readonly #freezer: Freezer;
  readonly #store: MemoryStore;
  readonly #watchdog: SimulatedWatchdog;
  readonly #processes = new Map<string, SimulatedProcess>();

  constructor(setup: WorkerSetup) {
    const { name, clock, etcd, keys, random, mutation, onProcess } = setup;
    this.name = name;
    this.skewMs = setup.skewMs;
    this.wall = clock.skewed({ offsetMs: setup.skewMs, rate: setup.rate });
    this.#freezer = new Freezer(this.wall, random.fork('freezer'));
    this.network = new Network(clock, random.fork('network'));
    const nodeClock = freezableClock(this.wall, this.#freezer);
    this.#store = etcd.connect({
      name,
      clock: nodeClock,
      intercept: (call) => {
        setup.onCall(this, call);
        return this.network.disturb(call);
      },
      wire: () => this.network.wire(),
      watchDelayMs: () => this.network.watchDelayMs(),
      noticeMs: random.int(2) * random.int(MAX_NOTICE_MS),
    });
    const revoke = (leaseId: string): void => {
      if (!this.isCut) etcd.leaseRevoke(leaseId, `${name}'s watchdog`);
    };
    this.#watchdog = new SimulatedWatchdog(this.wall, (marker) => this.#processes.get(marker), revoke);
    if (mutation.withoutWatchdog) this.#watchdog.disable();
    const draws = random.fork('node');
    const store = freezableStore(this.#store, this.#freezer);
    let markers = 0;
    const host = {
      ...{ worker: name, clock, nodeClock: this.wall, freezer: this.#freezer },
      knownSkewMs: () => this.node.clockSkewMs,
      onStarted: (process: SimulatedProcess): void => {
        this.#processes.set(process.marker, process);
        onProcess(process.observed);
      },
    };
    this.node = new Node({
      store: mutation.store?.(store, name) ?? store,
      keys,
      clock: mutation.clock?.(nodeClock, name) ?? nodeClock,
      random: () => draws.next(),
      log,
      prepareTask: (request) => prepareSimulated(host, request, `${name}-${(markers += 1)}`),
      watchdog: this.#watchdog,
      options: {
        ...NODE_DEFAULTS,
        ...{ name, host: 'memory', pid: 1, version: '0' },
        ...setup.options,
        ...mutation.options,
      },
    });
  }

  get isFrozen(): boolean {
    return this.#freezer.state === 'frozen';
  }

  freeze(): void {
    this.#freezer.freeze();
  }

  thaw(): void {
    this.#freezer.thaw();
  }

  cut(on: boolean): void {
    this.isCut = on;
    this.#store.partition(on);
  }

  /** Its clock is off by more than etcron has to put up with. */
  get isWrong(): boolean {
    return Math.abs(this.skewMs) > MAX_SKEW_MS;
  }

  stepWall(skewMs: number): void {
    this.wall.stepWall(skewMs - this.skewMs);
    this.skewMs = skewMs;
  }

  /** SIGKILL of the worker alone: its watchdog cleans up, and commands of `abandon` jobs go on. */
  kill(): void {
    this.#freezer.die();
    this.#store.crash();
    this.#watchdog.workerGone();
  }

  /** The machine loses its power: everything on it ends at once. */
  powerOff(): void {
    this.#freezer.die();
    this.#store.crash();
    this.#watchdog.die();
    for (const process of this.#processes.values()) process.killedFromOutside();
  }
}
