/** A real Prometheus, with the alert rules of deploy/, that scrapes each second. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { z } from 'zod';
import { freePorts } from '../../src/etcd/embedded/free-port.js';
import { spawnGuarded } from '../../src/etcd/embedded/guarded-process.js';
import { findPrometheus } from './find-debian-program.js';

export const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));

export interface RunningPrometheus {
  /** The values that a query gives now, one for each series. Rejects with what Prometheus says of a wrong one. */
  ask(query: string): Promise<number[]>;
  /** All alert rules: whether they could be evaluated, and the states of their alerts. */
  rules(): Promise<{ name: string; health: string; states: string[] }[]>;
  stop(): Promise<void>;
}

const answerSchema = z.object({
  status: z.literal('success'),
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
});
const rulesSchema = z.object({
  data: z.object({
    groups: z.array(
      z.object({
        rules: z.array(
          z.object({
            name: z.string(),
            health: z.string(),
            alerts: z.array(z.object({ state: z.string() })).default([]),
          }),
        ),
      }),
    ),
  }),
});

/** `target`: `host:port`. */
export async function startPrometheus(target: string): Promise<RunningPrometheus> {
  const { folder: programs, env } = await findPrometheus();
  const folder = mkdtempSync(join(tmpdir(), 'etcron-prometheus-'));
  const [port] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const configuration = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [join(DEPLOY, 'prometheus/etcron.rules.yaml')],
    scrape_configs: [{ job_name: 'etcron', static_configs: [{ targets: [target] }] }],
  };
  writeFileSync(join(folder, 'prometheus.yaml'), JSON.stringify(configuration));
  const child = spawnGuarded(
    join(programs, 'prometheus'),
    [
      `--config.file=${join(folder, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { env, removeWhenOrphaned: folder },
  );
  child.stdout?.resume();
  child.stderr?.resume();
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    async ask(query) {
      const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`);
      const text = await response.text();
      if (!response.ok) throw new Error(`${query}: ${text}`);
      return answerSchema.parse(JSON.parse(text)).data.result.map(({ value }) => Number(value[1]));
    },
    async rules() {
      const response = await fetch(`${url}/api/v1/rules`);
      const { groups } = rulesSchema.parse(await response.json()).data;
      return groups.flatMap(({ rules }) =>
        rules.map(({ name, health, alerts }) => ({ name, health, states: alerts.map(({ state }) => state) })),
      );
    },
    async stop() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** `<exit code>: <what it said>`; in deploy/prometheus. */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  const { folder, env } = await findPrometheus();
  const { all, exitCode } = await execa(join(folder, 'promtool'), args, {
    ...{ env, cwd: join(DEPLOY, 'prometheus'), all: true, reject: false, input },
  });
  return `${exitCode}: ${all}`;
}
