/**
 * What lies in deploy/, given to those for whom it is made: the rules and their tests to promtool, rules and dashboard to a
 * Prometheus that scrapes a node, the units to systemd-analyze.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { execa } from 'execa';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { freePorts } from '../../src/etcd/embedded/free-port.js';
import { spawnGuarded } from '../../src/etcd/embedded/guarded-process.js';
import { createNode, defineJob, type EtcronNode } from '../../src/index.js';
import { METRICS } from '../../src/telemetry/metrics/definitions.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { findPrometheus, findSystemdAnalyze, type FoundPrograms } from '../support/find-debian-program.js';
import { waitUntil } from '../support/wait.js';

const deploy = fileURLToPath(new URL('../../deploy', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'etcron-deploy-'));
let tools: FoundPrograms;

beforeAll(async () => {
  tools = await findPrometheus();
}, 600_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function promtool(args: readonly string[], input = ''): Promise<string> {
  const program = join(tools.folder, 'promtool');
  const { all, exitCode } = await execa(program, args, {
    ...{ env: tools.env, cwd: join(deploy, 'prometheus'), all: true, reject: false, input },
  });
  return `${exitCode}: ${all}`;
}

describe('promtool', () => {
  test('takes the rules and the configuration', async () => {
    expect(await promtool(['check', 'rules', 'etcron.rules.yaml'])).toMatch(/^0: [\s\S]*SUCCESS/);
    expect(await promtool(['check', 'config', 'prometheus.yaml'])).toMatch(/^0: /);
  });

  test('sees each alert fire, and none in a cluster that is well', async () => {
    expect(await promtool(['test', 'rules', 'etcron.rules.test.yaml'])).toMatch(/^0: [\s\S]*SUCCESS/);
  });
});

describe('Prometheus', () => {
  const registry = new Registry();
  let etcd: RunningEtcd;
  let node: EtcronNode;
  let server: Server;
  let url: string;
  let stop: () => Promise<void>;

  beforeAll(async () => {
    etcd = await startEtcd();
    const job = defineJob({ name: 'tick', schedule: '* * * * * *', handler: () => 'done' });
    node = createNode({
      ...{ name: 'w1', etcd: { endpoints: etcd.endpoints }, jobs: [job], metrics: registry },
      ...{ log: 'silent', watchdog: false },
    });
    await node.start();
    server = createServer((_request, response) => {
      void registry.metrics().then((text) => {
        response.setHeader('content-type', registry.contentType);
        response.end(text);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const [port] = await freePorts(1);
    url = `http://127.0.0.1:${port}`;
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    writeFileSync(
      join(folder, 'prometheus.yaml'),
      JSON.stringify({
        global: { scrape_interval: '1s', evaluation_interval: '1s' },
        rule_files: [join(deploy, 'prometheus/etcron.rules.yaml')],
        scrape_configs: [{ job_name: 'etcron', static_configs: [{ targets: [target] }] }],
      }),
    );
    const child = spawnGuarded(
      join(tools.folder, 'prometheus'),
      [
        `--config.file=${join(folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { env: tools.env },
    );
    child.stdout?.resume();
    child.stderr?.resume();
    const ended = new Promise((resolve) => child.once('exit', resolve));
    stop = async () => {
      child.kill('SIGTERM');
      await ended;
    };
  });

  afterAll(async () => {
    await stop();
    await new Promise((resolve) => server.close(resolve));
    await node.stop();
    await etcd.stop();
  });

  const answerSchema = z.object({
    status: z.literal('success'),
    data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
  });

  async function ask(query: string): Promise<number[]> {
    const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
    const text = await response.text();
    if (!response.ok) throw new Error(`${query}: ${text}`);
    return answerSchema.parse(JSON.parse(text)).data.result.map(({ value }) => Number(value[1]));
  }

  test('scrapes a node, and finds in its metrics what happened', async () => {
    await waitUntil(
      async () => {
        const [runs = 0] = await ask('etcron_runs_total{outcome="succeeded"}');
        const [starts = 0] = await ask('etcron_run_lateness_seconds_count{start="on_schedule"}');
        const [won = 0] = await ask('etcron_claims_total{result="won"}');
        return runs >= 3 && starts >= 3 && won >= 3;
      },
      { what: 'three runs in Prometheus', timeoutMs: 60_000 },
    );
    expect(await ask('up')).toEqual([1]);
    expect(await ask('etcron_is_leader')).toEqual([1]);
    expect((await ask('etcron_etcd_db_size_bytes'))[0]).toBeGreaterThan(1_000);
    expect((await ask('etcron_planned_ahead_seconds'))[0]).toBeGreaterThan(8);
    expect((await ask('etcron_etcd_request_duration_seconds_count{operation="txn"}'))[0]).toBeGreaterThan(3);
  });

  test('reads the metrics as promtool does, every one of the table among them', async () => {
    const text = await registry.metrics();
    expect(await promtool(['check', 'metrics'], text)).toMatch(/^0: /);
    for (const { name, type } of Object.values(METRICS)) expect(text).toContain(`# TYPE ${name} ${type}\n`);
  });

  test('evaluates all alerts, and none of them fires', async () => {
    const rulesSchema = z.object({
      data: z.object({
        groups: z.array(
          z.object({
            rules: z.array(
              z.object({
                name: z.string(),
                health: z.string(),
                alerts: z.array(z.object({ state: z.string() })).optional(),
              }),
            ),
          }),
        ),
      }),
    });
    const read = async () => {
      const response = await fetch(`${url}/api/v1/rules`);
      return rulesSchema.parse(await response.json()).data.groups.flatMap(({ rules }) => rules);
    };
    await waitUntil(async () => (await read()).every(({ health }) => health !== 'unknown'), {
      what: 'the evaluation of all rules',
    });
    const rules = await read();
    expect(rules.length).toBeGreaterThan(20);
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    // What is true for a moment, such as that nothing was scraped yet, waits for its time.
    const firing = rules.filter(({ alerts = [] }) => alerts.some(({ state }) => state === 'firing'));
    expect(firing).toEqual([]);
  });

  test('answers every query of the dashboard', async () => {
    const dashboard = JSON.parse(readFileSync(join(deploy, 'grafana/etcron-dashboard.json'), 'utf8')) as {
      panels: { title: string; targets?: { expr: string }[] }[];
    };
    const silentPanels = async (): Promise<string[]> => {
      const silent: string[] = [];
      for (const { title, targets = [] } of dashboard.panels) {
        let found = 0;
        for (const { expr } of targets) {
          const query = expr.replaceAll(/\$job|\$instance/g, '.*').replaceAll('$__rate_interval', '1m');
          found += (await ask(query)).length;
        }
        if (targets.length > 0 && found === 0) silent.push(title);
      }
      return silent.sort();
    };
    // Nothing has failed, one clock alone is not judged, and of the process a node of the library tells nothing.
    const expected = ['CPU', 'Clock skew', 'Delay of the event loop, p99', 'Errors', 'Memory'];
    await waitUntil(async () => isDeepStrictEqual(await silentPanels(), expected), {
      what: `data in all panels but ${expected.join(', ')}`,
    });
  });
});

test('a registry holds the metrics of one node, while it runs', async () => {
  const registry = new Registry();
  const name = METRICS.buildInfo.name;
  const etcd = await startEtcd();
  const options = {
    etcd: { endpoints: etcd.endpoints },
    metrics: registry,
    log: 'silent',
    watchdog: false,
  } as const;
  const node = createNode({ ...options, name: 'w1' });
  expect(registry.getSingleMetric(name)).toBeUndefined();
  await node.start();
  expect(registry.getSingleMetric(name)).toBeDefined();
  expect(() => createNode({ ...options, name: 'w2' })).toThrow(/holds the metrics of another node/);
  await node.stop();
  expect(registry.getMetricsAsArray()).toEqual([]);
  await etcd.stop();
});

describe('systemd-analyze', () => {
  test.each(['worker', 'serve'])(
    'finds nothing wrong with etcron-%s.service, and it is well sandboxed',
    async (unit) => {
      const { folder: bin, env } = await findSystemdAnalyze();
      const name = `etcron-${unit}.service`;
      const text = readFileSync(join(deploy, 'systemd', name), 'utf8');
      // It wants the program to be there.
      writeFileSync(join(folder, name), text.replace('/usr/bin/etcron', process.execPath));
      const run = (...args: string[]) =>
        execa(join(bin, 'systemd-analyze'), [...args, join(folder, name)], { env, all: true, reject: false });
      const verified = await run('verify', '--man=no');
      expect(verified.all).toBe('');
      expect(verified.exitCode).toBe(0);
      const judged = await run('security', '--offline=yes', '--threshold=25', '--no-pager');
      expect(judged.exitCode, judged.all).toBe(0);
    },
  );
});
