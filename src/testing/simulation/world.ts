/** The simulated world: etcd, the machines, what an operator does by hand, and the notes of an observer. */
import { Keys, formatRunId, type FiringId } from '../../etcd/keys.js';
import type { Operation, Txn } from '../../etcd/store.js';
import { createRandom, type Random } from '../../random.js';
import { encodeFiring, manualFiring } from '../../view/firing-record.js';
import { FakeClock } from '../fake-clock.js';
import { MemoryEtcd } from '../memory-etcd.js';
import type { ObservedProcess } from './process.js';
import { drawScenario, type Definition, type Scenario } from './scenario.js';
import type { InterceptedCall } from '../memory-store.js';
import { MAX_SKEW_MS, SimulatedWorker, type Mutation } from './worker.js';

/** The operator's name in etcd's history. */
export const OPERATOR = 'operator';
/** By how much the rates of two clocks may differ from etcd's. */
const MAX_RATE_ERROR = 0.002;

const START_MS = Date.UTC(2026, 0, 1, 12);

/** While the clock of a worker was wrong; `throughMs` also when the worker ended. */
export interface WrongClock {
  readonly worker: SimulatedWorker;
  readonly fromMs: number;
  throughMs: number;
}

export interface Fault {
  readonly atMs: number;
  readonly text: string;
}

export class World {
  readonly clock = new FakeClock(START_MS, 0);
  readonly etcd = new MemoryEtcd(this.clock);
  readonly keys = new Keys('/cron');
  readonly random: Random;
  readonly scenario: Scenario;
  readonly startMs = START_MS;
  readonly processes: ObservedProcess[] = [];
  readonly faults: Fault[] = [];
  /** Those that were asked to start and not to end. */
  readonly workers: SimulatedWorker[] = [];
  /** Run ids of the manual firings that etcd took. */
  readonly manual: string[] = [];
  /** When the last change of a job was written, ms. */
  readonly changedAtMs = new Map<string, number>();
  readonly wrongClocks: WrongClock[] = [];
  /** Somebody with a wrong clock wrote, and knew too few others to tell: then etcron promises nothing about times. */
  wasMisled = false;
  readonly #mutation: Mutation;
  #made = 0;
  #stopping: Promise<void>[] = [];

  constructor(seed: number, mutation: Mutation) {
    this.random = createRandom(`simulation ${seed}`);
    this.scenario = drawScenario(this.random.fork('scenario'));
    this.#mutation = mutation;
  }

  note(text: string): void {
    this.faults.push({ atMs: this.clock.now(), text });
  }

  // ── machines ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Begins to start a worker. One that cannot start is forgotten: an operator would start another. */
  addWorker(wrongByMs = 0): SimulatedWorker {
    const name = `n${(this.#made += 1)}`;
    const random = this.random.fork(name);
    const skewMs = wrongByMs + random.int(2 * MAX_SKEW_MS) - MAX_SKEW_MS;
    const worker = new SimulatedWorker({
      ...{ name, clock: this.clock, etcd: this.etcd, keys: this.keys, random, skewMs },
      rate: random.chance(0.5) ? 1 : 1 + (2 * random.next() - 1) * MAX_RATE_ERROR,
      options: this.scenario.node,
      mutation: this.#mutation,
      onProcess: (process) => this.processes.push(process),
      onCall: (caller, call) => this.#listen(caller, call),
    });
    this.workers.push(worker);
    this.#noteClock(worker);
    this.note(`${name} starts, its clock ${skewMs} ms off`);
    worker.node.start().catch(() => {
      this.note(`${name} could not start`);
      this.#forget(worker);
    });
    return worker;
  }

  stepClock(worker: SimulatedWorker, skewMs: number): void {
    this.note(`the clock of ${worker.name} steps from ${worker.skewMs} to ${skewMs} ms off`);
    worker.stepWall(skewMs);
    this.#noteClock(worker);
  }

  /** True when the worker's clock was wrong at some time in between. */
  hadWrongClock(name: string, fromMs: number, throughMs: number): boolean {
    return this.wrongClocks.some(
      (one) => one.worker.name === name && one.fromMs <= throughMs && one.throughMs >= fromMs,
    );
  }

  /** At this (true) time, by a clock that nobody could judge, something was done of a due time that was still far ahead. */
  isPremature(dueMs: number, atMs: number): boolean {
    return this.wasMisled && atMs < dueMs - 2 * MAX_SKEW_MS;
  }

  #noteClock(worker: SimulatedWorker): void {
    this.#endWrong(worker);
    if (worker.isWrong) this.wrongClocks.push({ worker, fromMs: this.clock.now(), throughMs: Infinity });
  }

  #endWrong(worker: SimulatedWorker): void {
    const last = this.wrongClocks.at(-1);
    if (last?.worker === worker) last.throughMs = Math.min(last.throughMs, this.clock.now());
  }

  #listen(worker: SimulatedWorker, { method, phase, args }: InterceptedCall): void {
    if (!worker.isWrong || method !== 'txn' || phase !== 'request' || this.wasMisled) return;
    const isJudged = worker.node.clockSkewMs !== null;
    const { success } = args[0] as Txn;
    if (isJudged || success.every(({ type, key }) => type === 'get' || key.startsWith(this.keys.workers)))
      return;
    this.wasMisled = true;
    this.note(`${worker.name} knows fewer than three clocks, and cannot tell that its own is wrong`);
  }

  kill(worker: SimulatedWorker): void {
    this.note(`${worker.name} is killed`);
    this.#forget(worker);
    this.#endWrong(worker);
    worker.kill();
  }

  powerOff(worker: SimulatedWorker): void {
    this.note(`${worker.name} loses its power`);
    this.#forget(worker);
    this.#endWrong(worker);
    worker.powerOff();
  }

  /** An orderly stop, which goes on by itself. */
  stop(worker: SimulatedWorker): void {
    this.note(`${worker.name} is stopped in order`);
    this.#forget(worker);
    this.#leaving.add(worker);
    this.#stopping.push(worker.node.stop().then(() => void this.#leaving.delete(worker)));
  }

  /** All that are there, those that are about to end too. */
  get present(): SimulatedWorker[] {
    return [...this.workers, ...this.#leaving];
  }

  readonly #leaving = new Set<SimulatedWorker>();

  async stopAll(): Promise<void> {
    for (const worker of [...this.workers]) this.stop(worker);
    await this.clock.advance(60_000);
    await Promise.all(this.#stopping);
  }

  #forget(worker: SimulatedWorker): void {
    const index = this.workers.indexOf(worker);
    if (index >= 0) this.workers.splice(index, 1);
  }

  // ── the operator ────────────────────────────────────────────────────────────────────────────────────────────────

  putJob(name: string, definition: Definition | string): void {
    const value = typeof definition === 'string' ? definition : JSON.stringify(definition);
    this.changedAtMs.set(name, this.clock.now());
    this.#write({ type: 'put', key: this.keys.job(name), value });
  }

  deleteJob(name: string): void {
    this.changedAtMs.set(name, this.clock.now());
    this.#write({ type: 'delete', key: this.keys.job(name) });
  }

  /** Null takes it away. */
  setLimit(name: string, size: number | null): void {
    const key = this.keys.limit(name);
    this.#write(
      size === null ? { type: 'delete', key } : { type: 'put', key, value: JSON.stringify({ size }) },
    );
  }

  /** Asks for a run now. */
  runByHand(job: string): void {
    const suffix = `manual-${this.manual.length + 1}`;
    const id: FiringId = { job, dueMs: this.clock.now(), suffix };
    this.#write({ type: 'put', key: this.keys.firing(id), value: encodeFiring(manualFiring(OPERATOR)) });
    this.manual.push(formatRunId(id));
    this.note(`run by hand: ${formatRunId(id)}`);
  }

  askToKill(runId: string): void {
    this.note(`kill request for ${runId}`);
    const value = JSON.stringify({
      by: OPERATOR,
      reason: 'simulated',
      at: new Date(this.clock.now()).toISOString(),
    });
    this.#write({ type: 'put', key: this.keys.kills + runId, value });
  }

  /** Asks that workers of the name take nothing more, or no longer asks it. */
  drain(name: string, isAsked: boolean): void {
    const key = this.keys.drain(name);
    this.note(`${name} is ${isAsked ? 'asked to drain' : 'asked to drain no more'}`);
    this.#write(isAsked ? { type: 'put', key, value: '{}' } : { type: 'delete', key });
  }

  /** Asks the leader, should there be one, to hand over. */
  handOver(to: string | null): void {
    this.note(`asked to hand over to ${to ?? 'anybody'}`);
    this.#write({ type: 'put', key: this.keys.handover, value: JSON.stringify({ by: OPERATOR, to }) });
  }

  #write(operation: Operation): void {
    this.etcd.txn({ compare: [], success: [operation] }, OPERATOR);
  }
}
