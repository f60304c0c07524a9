import { BenchCluster } from '../cluster.js';
import { climb, type Step } from '../climb.js';
import { firingsPerSecond, WRITES_PER_PLANNED_FIRING } from '../raw-clients.js';
import { spreadMeasures, WORKERS, type Measure, type Scenario } from '../scenario.js';
import { spread } from '../statistics.js';
import { tryStretch } from '../stretch.js';
import { HANDLER_USAGE_MEASURES } from '../usage.js';

const RATES = [500, 1_000, 2_000, 3_000, 4_000, 5_000, 7_000];
const SECONDS = 10;
const WARM_UP_MS = 4_000;
const P99_BELOW_MS = 250;

const STEP_MEASURES: readonly Measure[] = [
  ...spreadMeasures('lateness', 'lateness of the start', 1),
  { key: 'backlog', label: 'firings without a record 1 s after the last due time', unit: '', digits: 0 },
  ...HANDLER_USAGE_MEASURES,
];

/** How much can be carried: the rate goes up until firings are late, or are not finished. */
export const saturation: Scenario = {
  name: 'saturation',
  title: `no-op handler jobs every second, ${SECONDS} s for each rate, 3 workers`,
  measures: [
    {
      key: 'perSecond',
      label: `highest rate with p99 below ${P99_BELOW_MS} ms and no backlog`,
      unit: '/s',
      digits: 0,
    },
    { key: 'ofEtcd', label: 'that rate ÷ what etcd alone would take of such firings', unit: '×', digits: 3 },
    ...STEP_MEASURES.map((measure) => ({ ...measure, label: `at that rate: ${measure.label}` })),
  ],
  targets: [{ measure: 'perSecond', atLeast: 5_000 }],

  async run(context) {
    const raw = { perSecond: firingsPerSecond(await context.rawLimits(WORKERS), WRITES_PER_PLANNED_FIRING) };
    const cluster = await BenchCluster.start(context, '/saturation', { kind: 'handler' });
    const problems: string[] = [];
    const jobs: string[] = [];
    const step = async (rate: number): Promise<Step> => {
      const more = await cluster.rampUp(rate - jobs.length, '* * * * * *', { misfire: 'all' }, jobs.length);
      jobs.push(...more);
      const stretch = await tryStretch(context, cluster, {
        ...{ jobs, seconds: SECONDS, warmUpMs: WARM_UP_MS },
        mayFallBehind: true,
      });
      if (stretch === null || jobs.length < rate) {
        context.say(`${rate}/s: not planned in time`);
        return { figures: null, isCarried: false };
      }
      problems.push(...stretch.problems.map((problem) => `${rate}/s: ${problem}`));
      const lateness = spread('lateness', stretch.latenessMs);
      const figures = { ...lateness, backlog: stretch.backlog, ...stretch.usage };
      context.say(
        `${rate}/s: p99 ${lateness.latenessP99Ms!.toFixed(1)} ms, backlog ${stretch.backlog}, ` +
          `CPU per firing: workers ${stretch.usage.workerCpuMs?.toFixed(2)} ms, etcd ${stretch.usage.etcdCpuMs?.toFixed(2)} ms, ` +
          `${stretch.usage.proposals?.toFixed(3)} proposals`,
      );
      return { figures, isCarried: lateness.latenessP99Ms! < P99_BELOW_MS && stretch.backlog === 0 };
    };
    try {
      const { highest, points } = await climb(RATES, step);
      for (const line of cluster.complaints()) context.say(line);
      const series = {
        ...{ name: 'rate', x: 'rate', xLabel: 'firings per second' },
        ...{ measures: STEP_MEASURES, points },
      };
      const figures = {
        perSecond: highest,
        ofEtcd: highest / raw.perSecond,
        ...points.find(({ x }) => x === highest)?.figures,
      };
      return { figures, problems, raw, series: [series] };
    } finally {
      await cluster.stop();
    }
  },
};
