/**
 * One run of the simulation: whole nodes (election, planner, claims, recovery, finish, housekeeping) on an etcd in memory
 * and a clock that is moved by hand, a nemesis that breaks everything else, and checks of all that was promised. The
 * seed alone repeats the run.
 *
 *     workers and jobs start → faults for a while → healing → calm → checks → all nodes stop → nothing is left
 */
import { checkAccounting } from './checks/accounting.js';
import { CheckedHistory } from './checks/history.js';
import { checkProcesses } from './checks/processes.js';
import type { Violation } from './checks/violation.js';
import { Nemesis } from './nemesis.js';
import { timelineOf } from './timeline.js';
import type { Mutation } from './worker.js';
import { World } from './world.js';

export type { Violation } from './checks/violation.js';
export type { Mutation } from './worker.js';

export interface SimulationResult {
  readonly seed: number;
  readonly violations: readonly Violation[];
  /** Around the first violation; empty without one. */
  readonly timeline: readonly string[];
  readonly firings: number;
  readonly attempts: number;
  readonly faults: number;
}

const WARM_UP_MS = 200;
const MIN_FAULTS_MS = 40_000;
const MAX_FAULTS_MS = 80_000;
const CALM_MS = 60_000;
/** Between two strikes of the nemesis, at most. */
const PAUSE_MS = 3_000;

/** Never rejects for what a node does wrong: that is a violation. */
export async function simulate(seed: number, mutation: Mutation = {}): Promise<SimulationResult> {
  const world = new World(seed, mutation);
  const { clock, random, scenario } = world;
  for (const [name, definition] of [...scenario.steady, ...scenario.restless]) world.putJob(name, definition);
  for (let index = 0; index < scenario.workers; index += 1) world.addWorker();
  await clock.advance(WARM_UP_MS);
  const nemesis = new Nemesis(world);
  const pauses = random.fork('pauses');
  const untilMs = clock.now() + MIN_FAULTS_MS + pauses.int(MAX_FAULTS_MS - MIN_FAULTS_MS);
  while (clock.now() < untilMs) {
    nemesis.strike();
    await clock.advance(pauses.int(PAUSE_MS));
  }
  nemesis.heal();
  await clock.advance(CALM_MS);
  const history = new CheckedHistory(world);
  const violations = [
    ...history.violations,
    ...checkProcesses(world, history),
    ...checkAccounting(world, history, nemesis.last),
  ];
  await world.stopAll();
  if (clock.pendingTimers > 0) {
    const text = `${clock.pendingTimers} timers are left after all nodes have stopped`;
    violations.push({ text, subject: null, atMs: clock.now() });
  }
  return {
    seed,
    violations,
    timeline: violations.length > 0 ? timelineOf(world, violations[0]!) : [],
    firings: history.records.size,
    attempts: world.processes.length,
    faults: world.faults.length,
  };
}
