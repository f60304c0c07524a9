/**
 * What lies in deploy/, given to those for whom it is made: the rules and their tests to promtool, rules and dashboard to a
 * Prometheus that scrapes a node, the units to systemd-analyze.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { execa } from 'execa';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNode, defineJob, type EtcronNode } from '../../src/index.js';
import { METRICS } from '../../src/telemetry/metrics/definitions.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { findPrometheus, findSystemdAnalyze } from '../support/find-debian-program.js';
import { DEPLOY, promtool, startPrometheus, type RunningPrometheus } from '../support/prometheus.js';
import { waitUntil } from '../support/wait.js';

// Downloaded on the first run, so that no test times out on it.
beforeAll(async () => {
  await findPrometheus();
  await findSystemdAnalyze();
}, 600_000);

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
  let prometheus: RunningPrometheus;
  const ask = (query: string): Promise<number[]> => prometheus.ask(query);

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
    prometheus = await startPrometheus(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  });

  afterAll(async () => {
    await prometheus.stop();
    await new Promise((resolve) => server.close(resolve));
    await node.stop();
    await etcd.stop();
  });

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
    await waitUntil(async () => (await prometheus.rules()).every(({ health }) => health !== 'unknown'), {
      what: 'the evaluation of all rules',
    });
    const rules = await prometheus.rules();
    expect(rules.length).toBeGreaterThan(20);
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
    // What is true for a moment, such as that nothing was scraped yet, waits for its time.
    expect(rules.filter(({ states }) => states.includes('firing'))).toEqual([]);
  });

  test('answers every query of the dashboard', async () => {
    const dashboard = JSON.parse(readFileSync(join(DEPLOY, 'grafana/etcron-dashboard.json'), 'utf8')) as {
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
  const folder = mkdtempSync(join(tmpdir(), 'etcron-units-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(['worker', 'serve'])(
    'finds nothing wrong with etcron-%s.service, and it is well sandboxed',
    async (unit) => {
      const { folder: bin, env } = await findSystemdAnalyze();
      const name = `etcron-${unit}.service`;
      const text = readFileSync(join(DEPLOY, 'systemd', name), 'utf8');
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
