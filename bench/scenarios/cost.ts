import { measureBurst } from '../burst.js';
import { BenchCluster } from '../cluster.js';
import type { Figures, Measure, Scenario, ScenarioContext, Target } from '../scenario.js';
import { measureStretch } from '../stretch.js';

const STEADY_JOBS = 100;
const STEADY_SECONDS = 10;
const WARM_UP_MS = 4_000;
const BURST_JOBS = 2_000;
/** Numbers of jobs that the steady ones do not have. */
const BURST_FIRST = 10_000;
const SIZES = [3, 12] as const;
const STEADY_AT_MOST = 2.1;
const BURST_AT_MOST = 0.2;

/** What a firing costs etcd and the workers, and whether that grows with the number of workers. */
export const cost: Scenario = {
  name: 'cost',
  title:
    `etcd proposals per firing: ${STEADY_JOBS} handler jobs every second for ${STEADY_SECONDS} s, then ` +
    `${BURST_JOBS.toLocaleString('en')} at one instant, with ${SIZES.join(' and with ')} workers`,
  measures: SIZES.flatMap(measuresOf),
  targets: SIZES.flatMap((workers): Target[] => [
    { measure: `steadyProposals${workers}`, atMost: STEADY_AT_MOST },
    { measure: `burstProposals${workers}`, atMost: BURST_AT_MOST },
  ]),

  async run(context) {
    const figures: Figures = {};
    const problems: string[] = [];
    for (const workers of SIZES) {
      const one = await measureCost(context, workers);
      Object.assign(figures, one.figures);
      problems.push(...one.problems.map((problem) => `${workers} workers: ${problem}`));
    }
    return { figures, problems };
  },
};

function measuresOf(workers: number): Measure[] {
  return (['steady', 'burst'] as const).flatMap((load) => [
    {
      key: `${load}Proposals${workers}`,
      label: `${workers} workers, ${load}: etcd proposals per firing`,
      unit: '',
      digits: 3,
    },
    {
      key: `${load}WorkerCpuMs${workers}`,
      label: `${workers} workers, ${load}: CPU of all workers per firing`,
      unit: 'ms',
      digits: 2,
    },
    {
      key: `${load}EtcdCpuMs${workers}`,
      label: `${workers} workers, ${load}: CPU of etcd per firing`,
      unit: 'ms',
      digits: 2,
    },
  ]);
}

async function measureCost(
  context: ScenarioContext,
  workers: number,
): Promise<{ figures: Figures; problems: string[] }> {
  const cluster = await BenchCluster.start(context, `/cost-${workers}`, { kind: 'handler', workers });
  try {
    const jobs = await cluster.putJobs(STEADY_JOBS, '* * * * * *');
    const options = { jobs, seconds: STEADY_SECONDS, warmUpMs: WARM_UP_MS };
    const steady = await measureStretch(context, cluster, options);
    await cluster.deleteJobs();
    const peak = await measureBurst(context, cluster, { count: BURST_JOBS, first: BURST_FIRST });
    for (const line of cluster.complaints()) context.say(line);
    const figures: Figures = {};
    for (const [load, { usage }] of Object.entries({ steady, burst: peak })) {
      figures[`${load}Proposals${workers}`] = usage.proposals ?? NaN;
      figures[`${load}WorkerCpuMs${workers}`] = usage.workerCpuMs ?? NaN;
      figures[`${load}EtcdCpuMs${workers}`] = usage.etcdCpuMs ?? NaN;
    }
    return { figures, problems: [...steady.problems, ...peak.problems] };
  } finally {
    await cluster.stop();
  }
}
