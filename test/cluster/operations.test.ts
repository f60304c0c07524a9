/** What an operator does at night, on real workers: drain, hand over, kill, and all of it through a server. */
import { execa } from 'execa';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/clock.js';
import { createToken } from '../../src/operations/tokens/create-token.js';
import { Cluster } from '../support/cluster.js';
import { runEtcron, type CliRun } from '../support/cli-process.js';
import { startEtcd, type RunningEtcd } from '../support/etcd.js';
import { waitUntil } from '../support/wait.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let etcd: RunningEtcd;
let cluster: Cluster;
const etcron = (...args: string[]): Promise<CliRun> => runEtcron(cluster, [etcd.endpoint], ...args);

beforeAll(async () => {
  etcd = await startEtcd();
  cluster = new Cluster({ endpoints: [etcd.endpoint], env: { ETCRON_LISTEN: '127.0.0.1:0' } });
  await cluster.start('w-1', 'w-2');
});

afterAll(async () => {
  await cluster.stop();
  await etcd.stop();
});

/** How many processes carry the mark in their environment or command line. */
async function processesWith(mark: string): Promise<number> {
  const { stdout } = await execa('pgrep', ['-fc', mark], { reject: false });
  return Number(stdout);
}

it('drains a worker under load and hands the leadership over, and nothing is lost or late to be accounted for', async () => {
  const schedule = '@every 1s';
  await cluster.putJob('often', {
    ...{ schedule, command: `${cluster.note('start')}; sleep 1.5`, overlap: 'allow' },
  });
  await waitUntil(() => cluster.evidence().length > 2, { what: 'runs' });
  const fromMs = Date.now();
  const drained = (await cluster.leader()).name;
  const other = drained === 'w-1' ? 'w-2' : 'w-1';
  const asked = await etcron('workers', 'drain', drained, '--wait', '--reason', 'new disk');
  expect(asked).toMatchObject({ exitCode: 0, stdout: `${drained} is drained: it runs nothing` });
  const drainedMs = Date.now();
  expect((await cluster.leader()).name).toBe(other);
  expect((await etcron('workers')).stdout).toMatch(new RegExp(`${drained} .* drained `));
  await waitUntil(() => cluster.evidence().filter(({ atMs }) => atMs > drainedMs).length >= 3, {
    what: 'runs on the other worker',
  });
  const resumedMs = Date.now();
  expect((await etcron('workers', 'resume', drained)).exitCode).toBe(0);
  await waitUntil(
    async () => [...(await cluster.liveWorkers()).values()].every(({ state }) => state === 'active'),
    {
      what: 'both to be active',
    },
  );
  const handedOver = await etcron('workers', 'hand-over', '--to', drained);
  expect(handedOver.stdout).toMatch(new RegExp(`^${drained}-\\w+ leads now \\(it was ${other}-`));
  expect((await cluster.leader()).name).toBe(drained);
  const throughMs = Date.now();
  await cluster.ended('often', throughMs);
  expect(await cluster.accounting('often', schedule, fromMs, throughMs)).toEqual([]);
  const records = [...(await cluster.records('often'))];
  expect(new Set(records.map(([, { outcome }]) => outcome))).toEqual(new Set(['succeeded']));
  const startedWhileDrained = records.filter(
    ([, { worker, startedAt }]) =>
      worker === drained && startedAt !== null && startedAt > drainedMs && startedAt < resumedMs,
  );
  expect(startedWhileDrained).toEqual([]);
  expect(cluster.violations()).toEqual([]);
  await etcron('jobs', 'delete', 'often');
});

it('applies, runs, kills and reruns through the API of a worker, with a token, and kill answers when the tree is gone', async () => {
  const actor = { name: 'setup' };
  const { store, keys } = cluster;
  const { text } = await createToken(
    { store, keys, clock: systemClock, actor },
    { name: 'night', role: 'admin', lifetimeMs: null },
  );
  const server = await waitUntil(
    async () => [...(await cluster.liveWorkers()).values()].find(({ name }) => name === 'w-1')?.api ?? null,
    { what: 'the API' },
  );
  const remote = async (...args: string[]): Promise<CliRun> => {
    const { exitCode, stdout, stderr } = await execa(process.execPath, [CLI, ...args], {
      extendEnv: false,
      env: { PATH: process.env.PATH ?? '', HOME: cluster.folder, ETCRON_SERVER: server, ETCRON_TOKEN: text },
      ...{ cwd: cluster.folder, stdin: 'ignore', reject: false, timeout: 60_000 },
    });
    return { exitCode, stdout, stderr };
  };
  const mark = `tree-${process.pid}-${Date.now()}`;
  const file = join(cluster.folder, 'jobs.yaml');
  const command = `echo ready; sh -c 'sh -c "sleep 300 # ${mark}"; true' & sleep 300; echo ${mark}`;
  await writeFile(file, JSON.stringify({ jobs: { tree: { schedule: '0 0 1 1 *', command } } }));
  expect(await remote('apply', '-f', file, '--yes')).toMatchObject({ exitCode: 0 });
  const run = (await remote('run', 'tree')).stdout.trim();
  expect(run).toMatch(/^tree\/.*\+manual-/);
  await waitUntil(async () => (await processesWith(mark)) >= 2, { what: 'the tree of processes' });
  const killed = await remote('runs', 'kill', run, '--reason', 'wrong data');
  expect(await processesWith(mark)).toBe(0);
  expect(killed.exitCode, killed.stderr).toBe(0);
  expect(killed.stdout).toMatch(/^outcome +killed$/m);
  expect(killed.stdout).toMatch(/^why +by night: wrong data$/m);
  await writeFile(
    file,
    JSON.stringify({ jobs: { tree: { schedule: '0 0 1 1 *', command: 'echo of $ETCRON_RERUN_OF' } } }),
  );
  expect((await remote('apply', '-f', file, '--yes')).exitCode).toBe(0);
  const again = await remote('runs', 'rerun', run, '--wait');
  expect(again.exitCode, again.stderr).toBe(0);
  expect(again.stdout).toContain(`of ${run}`);
  const top = await remote('top', '--once');
  expect(top.stdout).toContain(`etcron top  ${server}`);
  expect(top.stdout).toMatch(/2\/2 active/);
  const refused = await remote('status', '--server', server.replace(/:\d+$/, ':1'));
  expect(refused.exitCode).toBe(3);
  expect(refused.stderr).toContain('[ETCRON_SERVER_UNREACHABLE]');
});
