/**
 * `npm run bench`: measures etcron with nothing but real parts (one etcd with fsync, three worker processes, commands that
 * are spawned) and prints a table. Exits with 1 when any firing was lost, doubled, early or failed: figures of a broken
 * run are worth nothing.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { collect, integerFlag } from '../src/cli/parse-flags.js';
import { startEmbeddedEtcd } from '../src/etcd/embedded/embedded-etcd.js';
import { findEtcd, type EtcdBinary } from '../src/etcd/embedded/find-etcd.js';
import { silentLogger } from '../src/telemetry/logger.js';
import { BareSpawners } from './bare-spawners.js';
import { describeMachine, type Machine } from './machine.js';
import { reportFailure } from './report-failure.js';
import { renderCosts, renderReport, summarize, type ScenarioRuns } from './report.js';
import type { Figures, Scenario } from './scenario.js';
import { drainBurst } from './scenarios/drain-burst.js';
import { etcdCeiling } from './scenarios/etcd-ceiling.js';
import { everySecondCommand } from './scenarios/every-second-command.js';
import { leaderKill } from './scenarios/leader-kill.js';
import { memory } from './scenarios/memory.js';
import { saturation } from './scenarios/saturation.js';
import { sustained } from './scenarios/sustained.js';
import { workerKill } from './scenarios/worker-kill.js';

interface BenchOptions {
  only?: string[];
  runs: number;
  minutes: number;
  json?: string;
  program: string;
  cpuProf?: string;
}

/** The ceiling comes last: it leaves the largest database behind. */
const SCENARIOS: readonly Scenario[] = [
  everySecondCommand,
  drainBurst,
  sustained,
  saturation,
  workerKill,
  leaderKill,
  memory,
  etcdCeiling,
];
/** Writes to etcd of one firing that is due now: lock and firing put by the claim; both deleted and a record put by its end. */
const WRITES_PER_FIRING = 5;
const PUTS_PER_TXN = 100;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

const program = new Command('npm run bench --')
  .description('Measure etcron on this machine: a real etcd, three worker processes, real commands.')
  .option('--only <scenario>', `${SCENARIOS.map(({ name }) => name).join(', ')}; repeatable`, scenarioFlag)
  .option('--runs <number>', 'how often to measure everything', integerFlag(1, 100), 3)
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
  const results: { scenario: Scenario; runs: Figures[] }[] = scenarios.map((scenario) => ({
    scenario,
    runs: [],
  }));
  const problems: string[] = [];
  let machine: Machine | undefined;
  for (let run = 1; run <= options.runs; run += 1) {
    const once = await runOnce(options, binary, scenarios, (line) => say(`run ${run}: ${line}`));
    machine ??= once.machine;
    for (const [index, figures] of once.figures.entries()) results[index]!.runs.push(figures);
    problems.push(...once.problems.map((problem) => `run ${run}: ${problem}`));
  }
  console.log(renderReport(machine!, results, options.runs));
  if (options.json !== undefined) await writeJson(options.json, machine!, results, problems);
  for (const problem of problems) say(`FAILED ${problem}`);
  return problems.length === 0 ? 0 : 1;
}

/** All scenarios on one new etcd, so that they can be set in relation. */
async function runOnce(
  options: BenchOptions,
  binary: EtcdBinary,
  scenarios: readonly Scenario[],
  say: (line: string) => void,
): Promise<{ machine: Machine; figures: Figures[]; problems: string[] }> {
  const profileDir = options.cpuProf === undefined ? null : resolve(options.cpuProf);
  if (profileDir !== null) await mkdir(profileDir, { recursive: true });
  const etcd = await startEmbeddedEtcd({ binary, log: silentLogger() });
  const figures: Figures[] = [];
  const problems: string[] = [];
  let spawners: BareSpawners | undefined;
  try {
    const machine = await describeMachine(binary.version, etcd.dataDir);
    spawners = await BareSpawners.start();
    for (const scenario of scenarios) {
      say(`${scenario.name}: ${scenario.title}`);
      const { minutes } = options;
      const context = {
        etcd,
        spawners,
        program: resolve(options.program),
        profileDir,
        minutes,
        peer: null,
        say,
      };
      const result = await scenario.run(context);
      figures.push(result.figures);
      if (result.costs) say(renderCosts(result.costs));
      problems.push(...result.problems.map((problem) => `${scenario.name}: ${problem}`));
    }
    relateToEtcd(scenarios, figures);
    return { machine, figures, problems };
  } finally {
    spawners?.stop();
    await etcd.stop();
  }
}

/** How near the burst comes to what this etcd could do if nothing else cost anything. */
function relateToEtcd(scenarios: readonly Scenario[], figures: readonly Figures[]): void {
  const burst = figures[scenarios.indexOf(drainBurst)];
  const ceiling = figures[scenarios.indexOf(etcdCeiling)];
  if (!burst || !ceiling) return;
  burst.ofEtcd = burst.perSecond! / ((ceiling.batchTxns4! * PUTS_PER_TXN) / WRITES_PER_FIRING);
}

async function writeJson(
  file: string,
  machine: Machine,
  results: readonly ScenarioRuns[],
  problems: readonly string[],
): Promise<void> {
  const scenarios = Object.fromEntries(
    results.map(({ scenario, runs }) => [
      scenario.name,
      {
        title: scenario.title,
        measures: scenario.measures.map((measure) => ({ ...measure, ...summarize(runs, measure.key) })),
        runs,
      },
    ]),
  );
  await writeFile(file, `${JSON.stringify({ machine, scenarios, problems }, null, 2)}\n`);
}
