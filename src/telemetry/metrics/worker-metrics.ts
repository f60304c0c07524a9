/**
 * The metrics of one worker, in a registry. What happens is counted when it happens; what *is* (gauges) is read when somebody
 * asks, by the functions given to `onCollect`, so that nothing is paid for it in between.
 */
import {
  collectDefaultMetrics,
  Counter,
  Gauge,
  Histogram,
  Registry,
  type RegistryContentType,
} from 'prom-client';
import { METRICS, type MetricDefinition, type MetricKey } from './definitions.js';

type Kinds = { counter: Counter; gauge: Gauge; histogram: Histogram };
type Made = { readonly [Key in MetricKey]: Kinds[(typeof METRICS)[Key]['type']] };

/** How often the delay of the event loop is sampled: a timer of libuv's, without JavaScript. */
const EVENT_LOOP_SAMPLE_MS = 20;

/** Gauges that are called like counters, which Prometheus' own check refuses, and ones of Node's internals. */
const UNWANTED = [
  ...['nodejs_active_handles', 'nodejs_active_handles_total'],
  ...['nodejs_active_requests', 'nodejs_active_requests_total', 'nodejs_active_resources_total'],
];

export interface WorkerMetricsOptions {
  readonly version: string;
  readonly worker: string;
  /** A program's own registry; a new one otherwise. */
  readonly registry?: Registry<RegistryContentType> | undefined;
  /** Those of the process, its memory, CPU, event loop and garbage collections; a program has them already. Default false. */
  readonly processMetrics?: boolean;
}

export class WorkerMetrics {
  readonly registry: Registry<RegistryContentType>;
  readonly #made: Made;
  readonly #collectors: (() => void)[] = [];

  constructor(options: WorkerMetricsOptions) {
    this.registry = options.registry ?? new Registry();
    this.#made = this.#make({
      version: options.version,
      node_version: process.version.slice(1),
      worker: options.worker,
    });
    if (options.processMetrics === true) this.#addProcessMetrics();
  }

  /** The metric of that name in the table. */
  get<Key extends MetricKey>(key: Key): Made[Key] {
    return this.#made[key];
  }

  /** `read` sets gauges, and is called whenever the metrics are asked for. */
  onCollect(read: () => void): void {
    this.#collectors.push(read);
  }

  /** A gauge without labels: the value, or nothing where there is none. */
  setOrRemove(
    key: Extract<MetricKey, 'clockSkew' | 'plannedAhead'> | LeaderGauge,
    value: number | null,
  ): void {
    if (value === null) this.#made[key].remove();
    else this.#made[key].set(value);
  }

  /** In Prometheus' text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  /** Takes the metrics out of the registry again. */
  remove(): void {
    for (const { name } of Object.values(METRICS)) this.registry.removeSingleMetric(name);
  }

  #addProcessMetrics(): void {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
    for (const name of UNWANTED) this.registry.removeSingleMetric(name);
  }

  #make(info: Record<string, string>): Made {
    // Asks all that have something to tell: the first of the metrics is asked first.
    const collect = (): void => {
      for (const read of this.#collectors) read();
    };
    const entries = Object.entries(METRICS).map(([key, definition], index) => [
      key,
      makeOne(definition, this.registry, index === 0 ? collect : undefined),
    ]);
    const made = Object.fromEntries(entries) as Made;
    made.buildInfo.set(info, 1);
    return made;
  }
}

type LeaderGauge = 'unplaceableJobs' | 'unplaceableFirings';

function makeOne(
  { type, name, help, labels = {}, buckets = [] }: MetricDefinition,
  registry: Registry<RegistryContentType>,
  collect: (() => void) | undefined,
): Counter | Gauge | Histogram {
  const common = { name, help, labelNames: Object.keys(labels), registers: [registry as Registry] };
  switch (type) {
    case 'counter':
      return new Counter(common);
    case 'gauge':
      return new Gauge({ ...common, ...(collect === undefined ? {} : { collect }) });
    case 'histogram':
      return new Histogram({ ...common, buckets: [...buckets] });
  }
}
