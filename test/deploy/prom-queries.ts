/** What queries of Prometheus name, against the metrics that a worker has. */
import { METRICS, type MetricDefinition } from '../../src/telemetry/metrics/definitions.js';
import { WorkerMetrics } from '../../src/telemetry/metrics/worker-metrics.js';

/** Made by Prometheus itself. */
const OF_PROMETHEUS = ['up', 'ALERTS'];
const HISTOGRAM_PARTS = ['_bucket', '_sum', '_count'];
/** Put on by Prometheus when it scrapes, and the alerts' own. */
const SCRAPE_LABELS = ['job', 'instance', 'le', 'alertname', 'alertstate'];

const definitions: ReadonlyMap<string, MetricDefinition> = new Map(
  Object.values(METRICS).map((definition) => [definition.name as string, definition]),
);

/** All that a worker's registry holds, the metrics of the process among them. */
const registered: ReadonlySet<string> = new Set(
  new WorkerMetrics({ version: '0', worker: 'w', processMetrics: true }).registry
    .getMetricsAsArray()
    .map(({ name }) => name),
);

/** What is wrong with the metrics and labels that a query names. */
export function problemsOf(query: string): string[] {
  const problems: string[] = [];
  const named = [...query.matchAll(/\b((?:etcron|nodejs|process)_[a-z0-9_]+|up|ALERTS)\b(?:\{([^}]*)\})?/g)];
  if (named.length === 0) problems.push(`names no metric: ${query}`);
  for (const [, name = '', selector = ''] of named) {
    if (OF_PROMETHEUS.includes(name)) continue;
    const base = baseOf(name);
    if (base === null) {
      problems.push(`there is no metric ${name}`);
      continue;
    }
    for (const [, label = '', operator, value = ''] of selector.matchAll(/(\w+)\s*(=~|=|!=)\s*"([^"]*)"/g)) {
      if (SCRAPE_LABELS.includes(label)) continue;
      const allowed = definitions.get(base)?.labels?.[label];
      if (allowed === undefined) problems.push(`${base} has no label ${label}`);
      else if (typeof allowed !== 'string') {
        const values = operator === '=~' ? value.split('|') : [value];
        for (const one of values)
          if (!allowed.includes(one)) problems.push(`${base}: ${label} is never ${one}`);
      }
    }
  }
  for (const [, labels = ''] of query.matchAll(/\bby\s*\(([^)]*)\)/g)) {
    for (const label of labels.split(',').map((one) => one.trim())) {
      const has = named.some(([, name = '']) => definitions.get(baseOf(name) ?? '')?.labels?.[label]);
      if (!SCRAPE_LABELS.includes(label) && !has)
        problems.push(`nothing in it has the label ${label}: ${query}`);
    }
  }
  return problems;
}

/** `etcron_run_lateness_seconds_bucket` → `etcron_run_lateness_seconds`; null for a name that no series has. */
function baseOf(name: string): string | null {
  const part = HISTOGRAM_PARTS.find((suffix) => name.endsWith(suffix));
  const base = part === undefined ? name : name.slice(0, -part.length);
  if (part !== undefined && definitions.get(base)?.type === 'histogram') return base;
  return registered.has(name) && definitions.get(name)?.type !== 'histogram' ? name : null;
}
