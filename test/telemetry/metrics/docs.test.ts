/** `docs/metrics.md` shows every metric as it is. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { METRICS, type MetricDefinition } from '../../../src/telemetry/metrics/definitions.js';

const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');

/** The row of the table for one metric. */
function row({ name, type, labels = {}, help }: MetricDefinition): string {
  const named = Object.entries(labels).map(
    ([label, values]) => `\`${label}\`: ${typeof values === 'string' ? values : values.join(', ')}`,
  );
  return `| \`${name}\` | ${type} | ${named.join('; ')} | ${help} |`;
}

test('the table holds exactly the metrics that there are, in their order', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  expect(rows).toEqual(Object.values(METRICS).map(row));
});

test('names and texts keep to the conventions', () => {
  for (const { name, type, help } of Object.values(METRICS)) {
    expect(name).toMatch(/^etcron_[a-z][a-z_]*[a-z]$/);
    expect(name.endsWith('_total')).toBe(type === 'counter');
    if (type === 'histogram') expect(name).toMatch(/_(seconds|bytes)$/);
    expect(help).toMatch(/^[A-Z0-9].*\.$/);
  }
});
