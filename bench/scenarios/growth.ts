/** How cost grows with jobs, with workers and with firings: one of them goes up, the others stay. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createRandom } from '../../src/random.js';
import { BenchCluster } from '../cluster.js';
import { residentMiB } from '../memory.js';
import {
  spreadMeasures,
  WORKERS,
  type Figures,
  type Measure,
  type Scenario,
  type ScenarioContext,
  type Series,
} from '../scenario.js';
import { spread } from '../statistics.js';
import { tryStretch } from '../stretch.js';
import { HANDLER_USAGE_MEASURES } from '../usage.js';
import { putDistantJobs } from './many-jobs.js';

const SECONDS = 10;
const WARM_UP_MS = 5_000;
/** Ten seconds for 100,000: what was loaded is collected, and compiled. */
const SETTLE_MS_PER_JOB = 0.1;
const BASE = { jobs: 1_000, workers: WORKERS, rate: 100 } as const;
/** Numbers of jobs that the distant ones do not have. */
const FIRST_NUMBER = 1_000_000;

const AXES = [
  { name: 'jobs', xLabel: 'definitions', values: [1_000, 10_000, 100_000] },
  { name: 'workers', xLabel: 'workers', values: [1, 3, 12] },
  { name: 'rate', xLabel: 'firings per second', values: [10, 100, 1_000, 3_000, 5_000] },
] as const;

const STEP_MEASURES: readonly Measure[] = [
  ...spreadMeasures('lateness', 'lateness of the start', 1),
  { key: 'backlog', label: 'firings without a record 1 s after the last due time', unit: '', digits: 0 },
  ...HANDLER_USAGE_MEASURES,
  { key: 'allWorkersMiB', label: 'memory of all workers (RSS)', unit: 'MiB', digits: 0 },
];

export const growth: Scenario = {
  name: 'growth',
  title:
    `no-op handlers: ${AXES.map(({ values, xLabel }) => `${values.map((value) => value.toLocaleString('en')).join(' → ')} ${xLabel}`).join('; ')}; ` +
    `else ${BASE.jobs.toLocaleString('en')} definitions, ${BASE.workers} workers, ${BASE.rate} firings a second`,
  onlyWhenNamed: true,
  measures: AXES.flatMap(({ name, xLabel, values }) =>
    values.map((value) => ({
      ...{ key: `${name}${value}`, unit: 'ms', digits: 2 },
      label: `${value.toLocaleString('en')} ${xLabel}: CPU of workers and etcd per firing`,
    })),
  ),
  targets: [],

  async run(context) {
    const figures: Figures = {};
    const problems: string[] = [];
    const series: Series[] = [];
    for (const { name, xLabel, values } of AXES) {
      const points = [];
      for (const value of values) {
        const step = await measureStep(context, `/growth-${name}-${value}`, { ...BASE, [name]: value });
        if (step === null) {
          context.say(`${value} ${xLabel}: not planned in time`);
          break;
        }
        problems.push(...step.problems.map((problem) => `${value} ${xLabel}: ${problem}`));
        const cpuMs = step.figures.workerCpuMs! + step.figures.etcdCpuMs!;
        context.say(
          `${value} ${xLabel}: p99 ${step.figures.latenessP99Ms!.toFixed(1)} ms, ${cpuMs.toFixed(2)} ms CPU per firing`,
        );
        figures[`${name}${value}`] = cpuMs;
        points.push({ x: value, figures: step.figures });
      }
      series.push({ name, x: name, xLabel, measures: STEP_MEASURES, points });
    }
    return { figures, problems, series };
  },
};

async function measureStep(
  context: ScenarioContext,
  prefix: string,
  { jobs, workers, rate }: { readonly jobs: number; readonly workers: number; readonly rate: number },
): Promise<{ figures: Figures; problems: readonly string[] } | null> {
  const cluster = await BenchCluster.start(context, prefix, { kind: 'handler', workers });
  try {
    await putDistantJobs(cluster, createRandom(prefix), Math.max(0, jobs - rate));
    // What it is to take so many in is measured by many-jobs.
    await cluster.plannedThrough(Date.now());
    await sleep(SETTLE_MS_PER_JOB * jobs);
    const busy = await cluster.rampUp(rate, '* * * * * *', { misfire: 'all' }, FIRST_NUMBER);
    const stretch = await tryStretch(context, cluster, {
      ...{ jobs: busy, seconds: SECONDS, warmUpMs: WARM_UP_MS },
      mayFallBehind: true,
    });
    for (const line of cluster.complaints()) context.say(line);
    if (stretch === null || busy.length < rate) return null;
    const resident = await Promise.all(cluster.pids.map(residentMiB));
    const figures = {
      ...spread('lateness', stretch.latenessMs),
      ...{ backlog: stretch.backlog, allWorkersMiB: resident.reduce((sum, one) => sum + one, 0) },
      ...stretch.usage,
    };
    return { figures, problems: stretch.problems };
  } finally {
    await cluster.stop();
  }
}
