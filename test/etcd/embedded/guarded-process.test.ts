import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import ts from 'typescript';
import { afterEach, beforeEach, expect, test } from 'vitest';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'etcron-test-guard-'));
});
afterEach(() => rm(dir, { recursive: true }));

/** Ignores what asks it to end. */
const DEAF = 'trap "" TERM INT; echo ready; while :; do sleep 1; done';

/** A process of its own that starts a shell as a guarded child and prints the child's id. */
async function startOwner(
  orphanDir: string,
  script = DEAF,
  options: { stopWhenOrphaned?: boolean } = {},
): Promise<{ owner: ReturnType<typeof spawn>; childPid: number }> {
  const source = await readFile('src/etcd/embedded/guarded-process.ts', 'utf8');
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext } });
  await writeFile(join(dir, 'guarded-process.mjs'), outputText);
  await writeFile(
    join(dir, 'owner.mjs'),
    `import { spawnGuarded } from './guarded-process.mjs';
    const child = spawnGuarded('/bin/sh', ['-c', ${JSON.stringify(script)}], {
      ...${JSON.stringify(options)},
      env: process.env,
      removeWhenOrphaned: ${JSON.stringify(orphanDir)},
    });
    child.stdout.once('data', () => console.log(child.pid));
    process.on('SIGTERM', () => process.exit(0));`,
  );
  const owner = spawn(process.execPath, [join(dir, 'owner.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: owner.stdout }), 'line')) as [string];
  return { owner, childPid: Number(line) };
}

/** The whole point is that nobody is left to report the end, so this looks until it sees it. */
async function waitUntil(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}

/** A zombie is dead; who becomes the parent of an orphan may take its time to notice. */
async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat !== null && !stat.slice(stat.lastIndexOf(')')).startsWith(') Z');
}

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'the child and its folder go when the owner ends by %s',
  async (signal) => {
    const orphanDir = await mkdtemp(join(dir, 'data-'));
    const { owner, childPid } = await startOwner(orphanDir);
    expect(await isAlive(childPid)).toBe(true);
    owner.kill(signal);
    await waitUntil(async () => !(await isAlive(childPid)) && !existsSync(orphanDir));
  },
);

test('an orphan that is to be stopped hears two signals first, and is killed when it does not listen', async () => {
  const heard = join(dir, 'heard');
  const script = `trap 'echo TERM >> ${heard}' TERM; echo ready; while :; do sleep 0.1; done`;
  const { owner, childPid } = await startOwner('', script, { stopWhenOrphaned: true });
  owner.kill('SIGKILL');
  await waitUntil(async () => !(await isAlive(childPid)));
  expect(await readFile(heard, 'utf8')).toBe('TERM\nTERM\n');
});

test('a signal to the group of the owner, like Ctrl-C, does not reach the child', async () => {
  const { owner, childPid } = await startOwner('');
  const groupOf = async (pid: number): Promise<string | undefined> => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2];
  };
  expect(await groupOf(childPid)).not.toBe(await groupOf(owner.pid!));
  owner.kill('SIGKILL');
  await waitUntil(async () => !(await isAlive(childPid)));
});
