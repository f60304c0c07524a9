/**
 * Which Prometheus the tests use, in this order: the PATH, etcron's cache, Debian's package (unpacked into the cache, without
 * root). Only the last one needs the network, and only once.
 */
import { access, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { etcdCacheDir } from '../../src/etcd/embedded/find-etcd.js';
import { installWithApt } from '../../src/etcd/embedded/install-with-apt.js';

export interface PrometheusPrograms {
  /** Absolute paths. */
  readonly prometheus: string;
  readonly promtool: string;
}

const VERSION_TIMEOUT_MS = 60_000;

/** Rejects with apt's own words when there is none and none can be had. */
export async function findPrometheus(env: NodeJS.ProcessEnv = process.env): Promise<PrometheusPrograms> {
  const cacheDir = etcdCacheDir(env);
  const installed = join(cacheDir, `prometheus-${process.arch}`);
  for (const folder of [...(env.PATH ?? '').split(delimiter).filter(Boolean), installed]) {
    const found = await programsIn(folder);
    if (found !== null) return found;
  }
  // A copy that does not run would be in the way.
  await rm(installed, { recursive: true, force: true });
  await installWithApt({
    packages: ['prometheus'],
    programs: ['usr/bin/prometheus', 'usr/bin/promtool'],
    into: installed,
    ...{ cacheDir, env, onProgress: () => undefined },
  });
  const found = await programsIn(installed);
  if (found === null) throw new Error(`the downloaded package holds no Prometheus that runs: ${installed}`);
  return found;
}

async function programsIn(folder: string): Promise<PrometheusPrograms | null> {
  const found = { prometheus: join(folder, 'prometheus'), promtool: join(folder, 'promtool') };
  try {
    for (const path of Object.values(found)) {
      await access(path);
      await execa(path, ['--version'], { timeout: VERSION_TIMEOUT_MS, stdin: 'ignore' });
    }
    return found;
  } catch {
    return null;
  }
}
