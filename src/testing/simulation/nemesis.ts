/** The one who breaks things: a weighted draw of everything that a cluster can suffer, and the healing afterwards. */
import type { Random } from '../../random.js';
import { prefixRange } from '../../etcd/store.js';
import { GOOD, type Quality } from './network.js';
import { drawCommand, drawDefinition, type Definition } from './scenario.js';
import { MAX_SKEW_MS, type SimulatedWorker } from './worker.js';
import { OPERATOR, type World } from './world.js';

const MAX_WORKERS = 5;
const BAD: readonly Quality[] = [
  GOOD,
  { loss: 0.03, delay: 0.5, delayMs: 300, lateEvents: 0.3, lateMs: 1_000, repeats: 0.1 },
  { loss: 0.15, delay: 0.5, delayMs: 1_000, lateEvents: 0.4, lateMs: 4_000, repeats: 0.3 },
  { loss: 0.3, delay: 0.3, delayMs: 3_000, lateEvents: 0.2, lateMs: 8_000, repeats: 0.5 },
  { loss: 0, delay: 0.2, delayMs: 12_000, lateEvents: 0, lateMs: 1, repeats: 0.5 },
  { loss: 0, delay: 0.3, delayMs: 20, lateEvents: 0.8, lateMs: 12_000, repeats: 0.2 },
];
const BROKEN = ['not: [a job', '{"schedule":"* * * * *"}', '{"schedule":"nonsense","command":"true"}', ''];
const SHORT_MS = 2_000;
const LONG_MS = 15_000;
/** By how much a wrong clock is off, ahead or behind. */
const WRONG_BY_MS = [3_000, 5_000, 20_000, 60_000, 300_000] as const;
/** One at a time, and until the others have forgotten it: a majority must be right. */
const BETWEEN_WRONG_CLOCKS_MS = 45_000;
const CLOCKS_TO_JUDGE = 3;

type Strike = readonly [weight: number, strike: () => void];

export class Nemesis {
  readonly #world: World;
  readonly #random: Random;
  readonly #sizes: Random;
  readonly #operators: Random;
  /** In some clusters only: others are to suffer from nothing else. */
  readonly #hasOperators: boolean;
  readonly #drained = new Set<string>();
  readonly #strikes: readonly Strike[];
  readonly #totalWeight: number;
  readonly #definitions: Map<string, Definition>;
  #edits = 0;
  #isOver = false;

  constructor(world: World) {
    this.#world = world;
    this.#random = world.random.fork('nemesis');
    this.#sizes = world.random.fork('sizes of limits');
    this.#operators = world.random.fork('drains and hand-overs');
    this.#hasOperators = this.#operators.chance(0.4);
    this.#definitions = new Map(world.scenario.restless);
    this.#strikes = [
      [5, () => this.#network()],
      [3, () => this.#cut()],
      [1, () => this.#cutAll()],
      [4, () => this.#freeze()],
      [3, () => this.#withWorker((worker) => world.kill(worker))],
      [2, () => this.#withWorker((worker) => world.powerOff(worker))],
      [1, () => this.#endAll()],
      [2, () => this.#withWorker((worker) => world.stop(worker))],
      [6, () => this.#add()],
      [2, () => this.#withWorker((worker) => this.#setRight(worker))],
      [world.scenario.hasWrongClocks ? 6 : 0, () => this.#setWrong()],
      [1, () => this.#compact()],
      [1, () => this.#changeEtcdLeader()],
      [1, () => this.#revokeLease()],
      [8, () => this.#change()],
      [2, () => world.runByHand(this.#anyJob())],
      [2, () => this.#askToKill()],
      [3, () => undefined],
    ];
    this.#totalWeight = this.#strikes.reduce((sum, [weight]) => sum + weight, 0);
  }

  /** One fault, drawn by weight; now and then also another size for a limit, a drain, a hand-over. */
  strike(): void {
    if (this.#sizes.chance(0.25)) this.#resize();
    if (this.#hasOperators && this.#operators.chance(0.25)) this.#drain();
    if (this.#hasOperators && this.#operators.chance(0.15)) this.#handOver();
    let draw = this.#random.int(this.#totalWeight);
    for (const [weight, strike] of this.#strikes) {
      draw -= weight;
      if (draw < 0) return strike();
    }
  }

  /** Ends all faults, gives every changed job its last definition, and sees to it that there is a worker. */
  heal(): void {
    const world = this.#world;
    this.#isOver = true;
    world.note('all faults end');
    for (const worker of world.present) {
      worker.network.quality = GOOD;
      worker.cut(false);
      worker.thaw();
      if (worker.isWrong) this.#setRight(worker);
    }
    for (const name of this.#drained) world.drain(name, false);
    for (const [name, size] of world.scenario.limits) world.setLimit(name, size);
    for (const name of this.#definitions.keys()) world.putJob(name, this.#redraw(name));
    if (world.workers.length < 2) world.addWorker();
  }

  #withWorker(act: (worker: SimulatedWorker) => void): void {
    const { workers } = this.#world;
    if (workers.length > 0) act(this.#random.pick(workers));
  }

  #later(delayMs: number, act: () => void): void {
    this.#world.clock.setTimer(delayMs, () => {
      if (!this.#isOver) act();
    });
  }

  #duration(): number {
    return 50 + this.#random.int(this.#random.chance(0.5) ? SHORT_MS : LONG_MS);
  }

  // ── connections ─────────────────────────────────────────────────────────────────────────────────────────────────

  #network(): void {
    const all = this.#random.chance(0.3);
    const quality = this.#random.pick(BAD);
    const { present } = this.#world;
    const chosen = all || present.length === 0 ? present : [this.#random.pick(present)];
    for (const worker of chosen) worker.network.quality = quality;
    const { loss, delayMs, lateMs } = quality;
    this.#world.note(
      `network of ${all ? 'all' : (chosen[0]?.name ?? 'nobody')}: loss ${loss}, delays up to ${delayMs} ms, events up to ${lateMs} ms late`,
    );
  }

  #cut(): void {
    this.#withWorker((worker) => this.#cutFor(worker, this.#duration()));
  }

  #cutAll(): void {
    const durationMs = this.#duration();
    for (const worker of this.#world.present) this.#cutFor(worker, durationMs);
  }

  #cutFor(worker: SimulatedWorker, durationMs: number): void {
    this.#world.note(`${worker.name} is cut off for ${durationMs} ms`);
    worker.cut(true);
    this.#later(durationMs, () => worker.cut(false));
  }

  // ── machines ────────────────────────────────────────────────────────────────────────────────────────────────────

  #freeze(): void {
    const { present } = this.#world;
    if (present.length === 0) return;
    const worker = this.#random.pick(present);
    const durationMs = this.#duration();
    this.#world.note(`${worker.name} is frozen for ${durationMs} ms`);
    worker.freeze();
    this.#later(durationMs, () => worker.thaw());
  }

  #endAll(): void {
    for (const worker of [...this.#world.workers]) this.#world.powerOff(worker);
    this.#later(this.#duration(), () => this.#world.addWorker());
  }

  #add(): void {
    if (this.#world.workers.length < MAX_WORKERS) this.#world.addWorker();
  }

  #setRight(worker: SimulatedWorker): void {
    this.#world.stepClock(worker, this.#random.int(2 * MAX_SKEW_MS) - MAX_SKEW_MS);
  }

  /** A clock that is there goes wrong, or one that is wrong joins; later it becomes right. */
  #setWrong(): void {
    const world = this.#world;
    const last = world.wrongClocks.at(-1);
    if (world.workers.length < CLOCKS_TO_JUDGE) return;
    if (last && world.clock.now() < last.throughMs + BETWEEN_WRONG_CLOCKS_MS) return;
    const wrongByMs = this.#random.pick(WRONG_BY_MS) * (this.#random.chance(0.6) ? 1 : -1);
    let worker: SimulatedWorker;
    if (world.workers.length < MAX_WORKERS && this.#random.chance(0.3)) worker = world.addWorker(wrongByMs);
    else {
      worker = this.#random.pick(world.workers);
      world.stepClock(worker, wrongByMs);
    }
    this.#later(this.#duration() + LONG_MS / 2, () => {
      if (world.present.includes(worker)) this.#setRight(worker);
    });
  }

  /** Any of them, all at once too; often one that was drained before takes runs again. */
  #drain(): void {
    const { workers } = this.#world;
    const [resumed] = this.#drained;
    if (resumed !== undefined && this.#operators.chance(0.6)) {
      this.#drained.delete(resumed);
      return this.#world.drain(resumed, false);
    }
    if (workers.length === 0) return;
    const { name } = this.#operators.pick(workers);
    this.#drained.add(name);
    this.#world.drain(name, true);
  }

  #handOver(): void {
    const { workers } = this.#world;
    const isNamed = workers.length > 0 && this.#operators.chance(0.4);
    this.#world.handOver(isNamed ? this.#operators.pick(workers).name : null);
  }

  // ── etcd ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #compact(): void {
    const { etcd } = this.#world;
    if (etcd.compactRevision >= etcd.revision) return;
    this.#world.note('compaction');
    etcd.compact();
  }

  #changeEtcdLeader(): void {
    this.#world.note('etcd changes its leader: all leases are renewed');
    this.#world.etcd.renewAllLeases();
  }

  #revokeLease(): void {
    const leases = this.#world.etcd.leaseIds();
    if (leases.length === 0) return;
    this.#world.note('a lease is revoked by hand');
    this.#world.etcd.leaseRevoke(this.#random.pick(leases), OPERATOR);
  }

  // ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #anyJob(): string {
    const { steady, restless } = this.#world.scenario;
    return this.#random.pick([...steady.keys(), ...restless.keys()]);
  }

  #change(): void {
    const world = this.#world;
    const name = this.#random.pick([...this.#definitions.keys()]);
    const kind = this.#random.int(10);
    if (kind < 2) {
      world.note(`${name} is deleted`);
      world.deleteJob(name);
    } else if (kind < 3) {
      world.note(`${name} is broken`);
      world.putJob(name, this.#random.pick(BROKEN));
    } else if (kind < 5) {
      world.note(`${name} is paused`);
      world.putJob(name, { ...this.#definitions.get(name)!, paused: true });
    } else {
      const definition = this.#redraw(name);
      world.note(`${name} is now ${definition.schedule} · ${definition.command}`);
      world.putJob(name, definition);
    }
  }

  /** Its policies stay, so that the checks can name them. */
  #redraw(name: string): Definition {
    const before = this.#definitions.get(name)!;
    const schedule = this.#random.chance(0.6) ? drawDefinition(this.#random).schedule : before.schedule;
    const command = `${drawCommand(this.#random, before.retries !== undefined)} # ${(this.#edits += 1)}`;
    const definition = { ...before, schedule, command };
    this.#definitions.set(name, definition);
    return definition;
  }

  #resize(): void {
    const name = this.#sizes.pick([...this.#world.scenario.limits.keys()]);
    const size = this.#sizes.pick([null, 0, 1, 2, 3]);
    this.#world.note(`the limit ${name} is now ${size ?? 'without a size'}`);
    this.#world.setLimit(name, size);
  }

  #askToKill(): void {
    const { etcd, keys } = this.#world;
    const firings = etcd.range(prefixRange(keys.firings)).kvs;
    if (firings.length === 0) return;
    this.#world.askToKill(this.#random.pick(firings).key.slice(keys.firings.length));
  }

  /** The definitions that stood last. */
  get last(): ReadonlyMap<string, Definition> {
    return this.#definitions;
  }
}
