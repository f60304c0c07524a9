/**
 * Before the tests that start real servers and workers: the etcd binary is there (downloaded on the first run, so that
 * no test times out on it), so is Chromium where it is needed, and dist/ holds the sources as they are now, since workers run from there.
 */
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { TestProject } from 'vitest/node';
import { EtcronError } from '../../src/errors.js';
import { findEtcd } from '../../src/etcd/embedded/find-etcd.js';
import { findChromium } from './find-chromium.js';

export default async function setup(project: TestProject): Promise<void> {
  try {
    const { etcd, etcdctl, version } = await findEtcd({ onProgress: (line) => console.error(line) });
    console.error(`[${project.name}] etcd ${version}: ${etcd}`);
    if (etcdctl === undefined) throw new Error(`no etcdctl beside ${etcd} or on the PATH; the tests need it`);
  } catch (error) {
    if (error instanceof EtcronError)
      throw new Error(`${error.message}\n${error.hint ?? ''}`, { cause: error });
    throw error;
  }
  if (project.name === 'page') {
    const { program, version } = await findChromium((line) => console.error(line));
    console.error(`[page] Chromium ${version}: ${program}`);
  }
  if (project.name === 'cluster' || project.name === 'page') {
    const script = fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url));
    await execa(process.execPath, [script], { stdio: 'inherit' });
  }
}
