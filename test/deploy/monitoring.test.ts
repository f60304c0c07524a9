/** The alerts, their runbooks and the dashboard, as far as that can be checked without Prometheus. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { METRICS } from '../../src/telemetry/metrics/definitions.js';
import { commandProblems, commandsIn } from './commands.js';
import { problemsOf } from './prom-queries.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}`, 'utf8');

const rulesSchema = z.object({
  groups: z.array(
    z.object({
      rules: z.array(
        z.object({
          alert: z.string(),
          expr: z.string(),
          labels: z.object({ severity: z.enum(['critical', 'warning']) }),
          annotations: z.object({ summary: z.string(), description: z.string(), runbook_url: z.string() }),
        }),
      ),
    }),
  ),
});
const alerts = rulesSchema
  .parse(parse(read('deploy/prometheus/etcron.rules.yaml')))
  .groups.flatMap(({ rules }) => rules);

const targetSchema = z.object({
  expr: z.string(),
  datasource: z.object({ uid: z.literal('${datasource}') }),
});
const dashboardSchema = z.object({
  uid: z.string(),
  panels: z.array(
    z.object({
      id: z.number(),
      type: z.string(),
      title: z.string().min(1),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(targetSchema).optional(),
    }),
  ),
  annotations: z.object({ list: z.array(z.object({ expr: z.string() })) }),
  templating: z.object({ list: z.array(z.object({ name: z.string(), definition: z.string().optional() })) }),
});
const dashboard = dashboardSchema.parse(JSON.parse(read('deploy/grafana/etcron-dashboard.json')));
const queries = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
];

describe('queries', () => {
  test('the check knows a wrong one', () => {
    expect(problemsOf('rate(etcron_runs_total{outcome="missed"}[5m])')).toEqual([]);
    expect(problemsOf('etcron_run_total')).toEqual(['there is no metric etcron_run_total']);
    expect(problemsOf('etcron_run_lateness_seconds > 1')).toHaveLength(1);
    expect(problemsOf('etcron_runs_total{outcome="sucess"}')).toEqual([
      'etcron_runs_total: outcome is never sucess',
    ]);
    expect(problemsOf('sum by (jobs) (etcron_load)')).toHaveLength(1);
  });

  test('of the alerts name metrics and labels that exist', () => {
    expect(alerts.flatMap(({ expr }) => problemsOf(expr))).toEqual([]);
  });

  test('of the dashboard do, too', () => {
    expect(queries.length).toBeGreaterThan(40);
    expect(queries.flatMap(problemsOf)).toEqual([]);
    for (const { definition } of dashboard.templating.list)
      if (definition !== undefined) expect(problemsOf(definition)).toEqual([]);
  });

  test('between them show each metric somewhere', () => {
    const shown = [...queries, ...alerts.map(({ expr }) => expr)].join('\n');
    const templates = dashboard.templating.list.map(({ definition }) => definition).join('\n');
    const hidden = Object.values(METRICS).filter(({ name }) => !`${shown}\n${templates}`.includes(name));
    expect(hidden.map(({ name }) => name)).toEqual([]);
  });
});

test('no panels of the dashboard lie on each other', () => {
  const ids = dashboard.panels.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  const taken = new Map<string, string>();
  for (const { title, gridPos } of dashboard.panels) {
    expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
        expect(taken.get(`${x},${y}`), title).toBeUndefined();
        taken.set(`${x},${y}`, title);
      }
  }
});

describe('runbooks', () => {
  const pages = readdirSync(`${root}/docs/runbooks`).filter((name) => name !== 'README.md');
  const index = read('docs/runbooks/README.md');

  test.each(alerts.map((alert) => [alert.alert, alert] as const))('%s has its page', (name, alert) => {
    const path = alert.annotations.runbook_url;
    expect(path).toMatch(/^docs\/runbooks\/[a-z-]+\.md$/);
    const page = read(path);
    expect(page).toMatch(new RegExp(`^# ${name}\n\n\\*\\*${alert.labels.severity}\\*\\*`, 'i'));
    for (const heading of ['Look first', 'What to do']) expect(page).toContain(`\n## ${heading}\n`);
    expect(index).toContain(`(${path.replace('docs/runbooks/', '')})`);
  });

  test('there is no page without an alert', () => {
    const wanted = alerts.map(({ annotations }) => annotations.runbook_url.replace('docs/runbooks/', ''));
    expect(pages.sort()).toEqual(wanted.sort());
  });

  test.each(pages)('%s: its commands and links are there', (name) => {
    const page = read(`docs/runbooks/${name}`);
    const commands = commandsIn(page);
    expect(commands.flatMap(commandProblems)).toEqual([]);
    for (const [, link = ''] of page.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g))
      expect([...pages, 'README.md']).toContain(link);
  });

  test('the check of commands knows a wrong one', () => {
    expect(commandsIn('`etcron status` or\n```sh\netcron jobs get <job>   # so\nuptime\n```')).toEqual([
      'etcron status',
      'etcron jobs get <job>',
    ]);
    expect(commandProblems('etcron jobs get <job>')).toEqual([]);
    expect(commandProblems('etcron runs list --outcome lost')).toEqual([]);
    expect(commandProblems('etcron runs lst')).toHaveLength(1);
    expect(commandProblems('etcron runs list --state running')).not.toEqual([]);
    expect(commandProblems('etcron frobnicate')).toHaveLength(1);
  });
});

test('each alert is tested with series that fire it', () => {
  const tests = read('deploy/prometheus/etcron.rules.test.yaml');
  for (const { alert } of alerts) expect(tests, alert).toContain(`alertname="${alert}",alertstate="firing",`);
});

test('the commands of docs/deployment.md are there, and the files that it names', () => {
  const page = read('docs/deployment.md');
  expect(commandsIn(page).length).toBeGreaterThan(4);
  expect(commandsIn(page).flatMap(commandProblems)).toEqual([]);
  for (const [, path = ''] of page.matchAll(/\]\(\.\.\/([^)]+)\)/g)) expect(read(path)).not.toBe('');
});
