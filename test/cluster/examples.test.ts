/** The programs under examples/, run as their readers run them: against a real etcd and the package as it is published. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster } from '../support/cluster.js';
import { runEtcron } from '../support/cli-process.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const examples = join(root, 'examples');

let etcd: RunningEtcd;
let cluster: Cluster;
const folder = mkdtempSync(join(tmpdir(), 'etcron-examples-'));

beforeAll(async () => {
  etcd = await startEtcd();
});

afterAll(async () => {
  await etcd.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function etcron(...args: string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runEtcron(cluster, [etcd.endpoint], ...args);
  if (exitCode !== 0) throw new Error(`etcron ${args.join(' ')} ended with ${exitCode}:\n${stderr}${stdout}`);
  return stdout;
}

describe('examples/crontab-replacement', () => {
  const from = join(examples, 'crontab-replacement');

  it('holds what the import makes of its crontab, and its jobs run', async () => {
    const main = join(root, 'dist', 'cli', 'main.js');
    const { stdout } = await execa(
      process.execPath,
      [main, 'import', 'crontab', 'crontab', '--tz', 'Europe/Berlin'],
      { cwd: from },
    );
    expect(readFileSync(join(from, 'jobs.yaml'), 'utf8').trimEnd()).toBe(stdout.trimEnd());

    cluster = new Cluster({ endpoints: [etcd.endpoint] });
    try {
      await etcron('apply', '-f', join(from, 'jobs.yaml'));
      await cluster.start('w-1');
      expect(await etcron('run', 'echo', '--wait')).toContain('looking for new orders');
      expect(await etcron('run', 'printf', '--wait')).toMatch(/report of \d{4}-\d\d-\d\d/);
      await etcron('run', 'find', '--wait');
    } finally {
      await cluster.stop();
    }
  });
});

describe('examples/every-machine', () => {
  it('runs once on each machine that the target fits', async () => {
    cluster = new Cluster({
      endpoints: [etcd.endpoint],
      argsOf: {
        'm-1': ['--label', 'disk=ssd'],
        'm-2': ['--label', 'disk=hdd'],
        'm-3': ['--label', 'disk=ssd', '--label', 'state=emptying'],
        'm-4': [],
      },
    });
    try {
      await cluster.start('m-1', 'm-2', 'm-3', 'm-4');
      // As it is, but sooner.
      const text = readFileSync(join(examples, 'every-machine', 'jobs.yaml'), 'utf8');
      expect(text).toContain("schedule: '*/10 * * * *'");
      const file = join(cluster.folder, 'jobs.yaml');
      writeFileSync(file, text.replace('*/10 * * * *', '*/3 * * * * *'));
      await etcron('apply', '-f', file);
      const runs = await waitUntil(
        async () => {
          const found = [...(await cluster.records('disk-space'))].filter(([runId]) =>
            runId.includes('+on-'),
          );
          return found.length >= 4 ? found : undefined;
        },
        { what: 'the runs of two due times' },
      );
      expect(new Set(runs.map(([, { worker }]) => worker))).toEqual(new Set(['m-1', 'm-2']));
      for (const [, { outcome, stdout }] of runs) {
        expect(outcome).toBe('succeeded');
        expect(stdout!.text).toMatch(/^disk-space on machine [12] of 2\n.*%/);
      }
    } finally {
      await cluster.stop();
    }
  });
});

describe('examples/web-server', () => {
  const app = join(folder, 'web-server');

  /** As `npm install` leaves it: the package as it is published, and what it depends on. */
  function install(): void {
    cpSync(join(examples, 'web-server'), app, { recursive: true });
    const modules = join(app, 'node_modules');
    const link = (target: string, name: string): void => {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(target, join(modules, name), 'dir');
    };
    // What the documentation shows is compiled with it.
    for (const page of ['docs/library.md', 'README.md']) {
      const text = readFileSync(join(root, page), 'utf8');
      for (const [index, [, block]] of [...text.matchAll(/^```ts\n(.*?)^```$/gms)].entries())
        writeFileSync(join(app, 'src', `${page.replaceAll(/\W/g, '-')}-${index + 1}.ts`), block!);
    }
    link(root, 'etcron');
    link(join(root, 'node_modules', 'zod'), 'zod');
    link(join(root, 'node_modules', '@types'), '@types');
  }

  it('compiles with strict settings, runs its handler, and ends by itself when it is told to stop', async () => {
    install();
    // With the checks of libraries' own declarations, which a user may have on.
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const compiled = await execa(process.execPath, [tsc, '-p', app], { reject: false });
    expect(compiled.stdout).toBe('');
    const shown = await execa(process.execPath, ['--test', join(app, 'dist', 'docs-library-md-3.js')]);
    expect(shown.stdout).toMatch(/pass 1\b/);

    cluster = new Cluster({ endpoints: [etcd.endpoint] });
    const server = execa(process.execPath, [join(app, 'dist', 'server.js')], {
      cwd: app,
      extendEnv: false,
      env: {
        PATH: process.env.PATH ?? '',
        ETCRON_ENDPOINTS: etcd.endpoint,
        ETCRON_PREFIX: cluster.keys.prefix,
        ETCRON_NAME: 'web-1',
        PORT: '0',
      },
      all: true,
      reject: false,
      cleanup: true,
    });
    let said = '';
    server.all.on('data', (chunk: Buffer) => (said += chunk.toString()));
    try {
      const port = await waitUntil(() => /listening on port (\d+)/.exec(said)?.[1], { what: 'the server' });
      const url = `http://127.0.0.1:${port}`;
      expect(await (await fetch(`${url}/health`)).json()).toMatchObject({
        nodeId: expect.stringMatching(/^web-1-/) as string,
      });
      const { run } = (await (await fetch(`${url}/reports`, { method: 'POST' })).json()) as { run: string };
      await waitUntil(() => said.includes(`${run} succeeded`), { what: 'the report' });
      const made = (await (await fetch(`${url}/reports`)).json()) as { region: string }[];
      expect(made.map(({ region }) => region)).toEqual(['north', 'south']);
      const record = await etcron('runs', 'get', run);
      expect(record).toContain('{"made":2}');
      expect(record).toContain('made a report {"region":"north"}');
      server.kill('SIGTERM');
      const { exitCode } = await server;
      expect([exitCode, said]).toEqual([0, expect.stringContaining('stopped')]);
      expect(await cluster.liveWorkers()).toEqual(new Map());
    } finally {
      server.kill('SIGKILL');
      await cluster.stop();
    }
  });
});
