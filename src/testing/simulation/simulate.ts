/**
 * One run of the simulation: whole nodes (election, planner, claims, recovery, finish, housekeeping) on an etcd in memory
 * and a clock that is moved by hand, a nemesis that breaks everything else, and checks of all that was promised. The
 * seed alone repeats the run.
 *
 *     workers and jobs start → faults for a while → healing → calm → checks → all nodes stop → nothing is left
 */
import { prefixRange } from '../../etcd/store.js';
import { checkAccounting, plannedThroughMs, waitingFor } from './checks/accounting.js';
import { checkBounds } from './checks/bounds.js';
import { CheckedHistory } from './checks/history.js';
import { checkProcesses } from './checks/processes.js';
import { checkSharing } from './checks/sharing.js';
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
/** The calm lasts until the cluster has caught up with everything, within these bounds. */
const MIN_CALM_MS = 20_000;
const MAX_CALM_MS = 60_000;
const CALM_STEP_MS = 2_000;
/** A firing that has waited for so long keeps the calm going. */
const CAUGHT_UP_MS = 12_000;

/** A node that spins for ever, or breaks the simulation in another way, is a violation, too. */
export async function simulate(seed: number, mutation: Mutation = {}): Promise<SimulationResult> {
  const world = new World(seed, mutation);
  const violations: Violation[] = [];
  const wrong = (text: string): void =>
    void violations.push({ text, subject: null, atMs: world.clock.now() });
  try {
    const nemesis = new Nemesis(world);
    await run(world, nemesis);
    violations.push(...check(world, nemesis));
    await world.stopAll();
    const { pendingTimers } = world.clock;
    if (pendingTimers > 0) wrong(`${pendingTimers} timers are left after all nodes have stopped`);
  } catch (error) {
    wrong(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  return {
    seed,
    violations,
    timeline: violations.length > 0 ? timelineOf(world, violations[0]!) : [],
    firings: world.etcd.range(prefixRange(world.keys.runs)).count,
    attempts: world.processes.length,
    faults: world.faults.length,
  };
}

async function run(world: World, nemesis: Nemesis): Promise<void> {
  const { clock, random, scenario } = world;
  for (const [name, size] of scenario.limits) world.setLimit(name, size);
  for (const [name, definition] of [...scenario.steady, ...scenario.restless]) world.putJob(name, definition);
  for (let index = 0; index < scenario.workers; index += 1) world.addWorker();
  await clock.advance(WARM_UP_MS);
  const pauses = random.fork('pauses');
  const untilMs = clock.now() + scenario.faultsMs;
  while (clock.now() < untilMs) {
    nemesis.strike();
    await clock.advance(pauses.int(scenario.pauseMs));
  }
  nemesis.heal();
  const calmSinceMs = clock.now();
  await clock.advance(MIN_CALM_MS);
  while (!hasCaughtUp(world) && clock.now() < calmSinceMs + MAX_CALM_MS) await clock.advance(CALM_STEP_MS);
}

/** Everything is planned up to now, and nothing waits that was due a while ago. */
function hasCaughtUp(world: World): boolean {
  return plannedThroughMs(world) >= world.clock.now() && waitingFor(CAUGHT_UP_MS, world).length === 0;
}

function check(world: World, nemesis: Nemesis): Violation[] {
  const history = new CheckedHistory(world);
  return [
    ...history.violations,
    ...checkProcesses(world, history),
    ...checkBounds(world, history),
    ...checkSharing(world),
    ...checkAccounting(world, history, nemesis.last),
  ];
}
