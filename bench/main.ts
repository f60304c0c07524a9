/**
 * `npm run bench`: measures etcron with nothing but real parts (one etcd with fsync, three worker processes, commands that
 * are spawned) and prints a table. Exits with 1 when any firing was lost, doubled, early or failed: figures of a broken
 * run are worth nothing.
 */
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { collect, integerFlag } from '../src/cli/parse-flags.js';
import { findEtcd, type EtcdBinary } from '../src/etcd/embedded/find-etcd.js';
import { BareSpawners } from './bare-spawners.js';
import { withEtcd } from './with-etcd.js';
import { describeMachine, type Machine } from './machine.js';
import { BULLMQ_MEASURES, findBullmqPeer } from './peer/bullmq-peer.js';
import type { Peer } from './peer/peer.js';
import { RawLimits } from './raw-clients.js';
import { reportFailure } from './report-failure.js';
import { renderCosts, renderReport } from './report.js';
import { toResults, writeResults } from './results.js';
import type { Scenario, ScenarioResult } from './scenario.js';
import { SCENARIOS } from './scenarios/index.js';

interface BenchOptions {
  only?: string[];
  runs: number;
  minutes: number;
  json?: string;
  program: string;
  cpuProf?: string;
  peer: boolean;
}

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const program = new Command('npm run bench --')
  .description('Measure etcron on this machine: a real etcd, three worker processes, real commands.')
  .option('--only <scenario>', `${SCENARIOS.map(({ name }) => name).join(', ')}; repeatable`, scenarioFlag)
  .option('--runs <number>', 'how often to measure everything', integerFlag(1, 100), 5)
  .option(
    '--minutes <number>',
    'how long memory lasts, which runs only when it is named',
    integerFlag(1, 10_000),
    30,
  )
  .option('--json <file>', 'write all figures of all runs to a file')
  .option(
    '--program <file>',
    'the etcron to measure, for comparing another checkout',
    fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url)),
  )
  .option('--cpu-prof <folder>', 'leave CPU profiles of one worker there (costs speed)')
  .option('--no-peer', 'do not run BullMQ on Redis for comparison')
  .exitOverride();

try {
  program.parse();
  process.exitCode = await bench(program.opts<BenchOptions>());
} catch (error) {
  process.exitCode = reportFailure(error);
}

function scenarioFlag(text: string, before?: readonly string[]): string[] {
  if (!SCENARIOS.some(({ name }) => name === text))
    throw new InvalidArgumentError(`Known are ${SCENARIOS.map(({ name }) => name).join(', ')}.`);
  return collect(text, before);
}

async function bench(options: BenchOptions): Promise<number> {
  const scenarios = SCENARIOS.filter(
    ({ name, onlyWhenNamed }) => options.only?.includes(name) ?? onlyWhenNamed !== true,
  );
  const binary = await findEtcd({ onProgress: say });
  const peer = options.peer ? await findBullmqPeer(say) : null;
  const measured: { scenario: Scenario; runs: ScenarioResult[] }[] = scenarios.map((scenario) => ({
    scenario,
    runs: [],
  }));
  const problems: string[] = [];
  let machine: Machine | undefined;
  for (let run = 1; run <= options.runs; run += 1) {
    const once = await runOnce(options, binary, scenarios, peer, (line) => say(`run ${run}: ${line}`));
    machine ??= once.machine;
    for (const [index, result] of once.results.entries()) measured[index]!.runs.push(result);
    problems.push(...once.problems.map((problem) => `run ${run}: ${problem}`));
  }
  const described = peer && {
    name: peer.name,
    versions: await peer.versions(),
    measures: BULLMQ_MEASURES,
  };
  const results = toResults(machine!, described, measured, problems);
  console.log(renderReport(results));
  if (options.json !== undefined) await writeResults(options.json, results);
  for (const problem of problems) say(`FAILED ${problem}`);
  return problems.length === 0 ? 0 : 1;
}

/** Each scenario on a new etcd: no other one's data, and none of its history compacted. */
async function runOnce(
  options: BenchOptions,
  binary: EtcdBinary,
  scenarios: readonly Scenario[],
  peer: Peer | null,
  say: (line: string) => void,
): Promise<{ machine: Machine; results: ScenarioResult[]; problems: string[] }> {
  const profileDir = options.cpuProf === undefined ? null : resolve(options.cpuProf);
  if (profileDir !== null) await mkdir(profileDir, { recursive: true });
  const { minutes } = options;
  const results: ScenarioResult[] = [];
  const problems: string[] = [];
  // Where etcd puts its data.
  const machine = await describeMachine(binary.version, tmpdir());
  const rawLimits = new RawLimits(binary);
  const spawners = await BareSpawners.start();
  try {
    for (const scenario of scenarios) {
      say(`${scenario.name}: ${scenario.title}`);
      const result = await withEtcd(
        binary,
        (etcd) =>
          scenario.run({
            ...{ etcd, spawners, program: resolve(options.program), profileDir, minutes, peer, say },
            rawLimits: (clients) => rawLimits.of(clients),
          }),
        scenario,
      );
      results.push(result);
      if (result.costs) say(renderCosts(result.costs));
      problems.push(...result.problems.map((problem) => `${scenario.name}: ${problem}`));
    }
    return { machine, results, problems };
  } finally {
    spawners.stop();
  }
}
