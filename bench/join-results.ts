/** Results of several benchmarks on one machine, as if they had been one: a whole one takes hours. */
import { EtcronError } from '../src/errors.js';
import type { Machine } from './machine.js';
import type { BenchResults, ScenarioResults } from './results.js';

/** What must be the same for figures to stand beside each other. */
const SAME = ['node', 'etcd', 'etcron', 'platform', 'cpu', 'cores', 'memoryGiB', 'disk'] as const;

/** Runs of the same scenario are put together, in the order given. Throws ETCRON_USAGE for different machines or versions. */
export function joinResults(all: readonly BenchResults[]): BenchResults {
  const [first, ...others] = all;
  if (first === undefined) throw new EtcronError('ETCRON_USAGE', 'there are no results');
  for (const { machine } of others) assertSame(first.machine, machine);
  const scenarios = new Map<string, ScenarioResults>();
  for (const scenario of all.flatMap((results) => results.scenarios)) {
    const known = scenarios.get(scenario.name);
    const runs = [...(known?.runs ?? []), ...scenario.runs];
    scenarios.set(scenario.name, { ...scenario, runs });
  }
  const machines = all.map(({ machine }) => machine);
  return {
    format: first.format,
    machine: {
      ...first.machine,
      startedAt: machines.map(({ startedAt }) => startedAt).sort()[0]!,
      loadAtStart: Math.max(...machines.map(({ loadAtStart }) => loadAtStart)),
    },
    peer: all.find(({ peer }) => peer !== null)?.peer ?? null,
    scenarios: [...scenarios.values()],
    problems: all.flatMap(({ problems }) => problems),
  };
}

function assertSame(one: Machine, other: Machine): void {
  const different = SAME.find((fact) => one[fact] !== other[fact]);
  if (different === undefined) return;
  throw new EtcronError(
    'ETCRON_USAGE',
    `these results cannot be put together: ${different} is ${one[different]} in one of them and ${other[different]} in another`,
    { hint: 'Measure again, on one machine and with one version of each part.' },
  );
}
