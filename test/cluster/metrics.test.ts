/** The metrics of a real worker, as a real Prometheus scrapes them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../src/etcd/embedded/free-port.js';
import { Cluster } from '../support/cluster.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { findPrometheus } from '../support/find-debian-program.js';
import { promtool, startPrometheus } from '../support/prometheus.js';
import { waitUntil } from '../support/wait.js';

let etcd: RunningEtcd;
let cluster: Cluster;

beforeAll(async () => {
  await findPrometheus();
  etcd = await startEtcd();
}, 600_000);

afterAll(async () => {
  await cluster.stop();
  await etcd.stop();
});

test('a worker counts what etcd has of it, shows its processes, and is scraped', async () => {
  const [port] = await freePorts(1);
  const target = `127.0.0.1:${port}`;
  cluster = new Cluster({ endpoints: etcd.endpoints, workerArgs: ['--listen', target] });
  await cluster.start('a');
  await cluster.putJob('good-job', { schedule: '* * * * * *', command: 'true' });
  await cluster.putJob('bad-job', { schedule: '*/2 * * * * *', command: 'false' });
  await cluster.putJob('broken-job', { schedule: 'never', command: 'true' });
  const prometheus = await startPrometheus(target);
  const one = async (query: string): Promise<number | undefined> => (await prometheus.ask(query))[0];
  try {
    await waitUntil(
      async () =>
        (await one('etcron_runs_total{outcome="succeeded"}'))! >= 3 &&
        (await one('etcron_runs_total{outcome="failed"}'))! >= 2 &&
        (await one('etcron_jobs_broken')) === 1 &&
        (await one('etcron_sidecar_up{process="launcher"}')) === 1 &&
        (await one('etcron_sidecar_up{process="watchdog"}')) === 1,
      { what: 'runs and processes in Prometheus', timeoutMs: 120_000 },
    );
    // The records were there before they were counted, so that it never counts too many.
    const counted = (await one('sum(etcron_runs_total{outcome="succeeded"})'))!;
    expect(counted).toBeLessThanOrEqual((await cluster.records('good-job')).size);
    const text = await (await fetch(`http://${target}/metrics`)).text();
    expect(await promtool(['check', 'metrics'], text)).toMatch(/^0: /);
    for (const name of ['nodejs_eventloop_lag_p99_seconds', 'process_cpu_seconds_total', 'etcron_build_info'])
      expect(text).toContain(`# TYPE ${name} `);
    const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
    expect(series.length).toBeLessThan(600);
    expect(text).not.toContain('-job');
  } finally {
    await prometheus.stop();
  }
});
