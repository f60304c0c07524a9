/** The script that the jobs of the chaos run execute, run for real. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commandLine, installCommand, type CommandOptions } from '../../chaos/command.js';
import { readEvidence } from '../../chaos/evidence.js';
import { waitUntil } from '../support/wait.js';

const RUN_ID = 'job/2026-11-21T14:00:00.000Z';

let folder: string;
let script: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'etcron-test-'));
  mkdirSync(join(folder, 'locks'));
  script = installCommand(folder);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(attempt: number, options: CommandOptions, runId = RUN_ID) {
  const [program, ...args] = commandLine(script, options) as [string, ...string[]];
  const env = {
    PATH: process.env.PATH ?? '',
    ...{ ETCRON_RUN_ID: runId, ETCRON_JOB: 'job', ETCRON_ATTEMPT: String(attempt) },
    ETCRON_FENCING_TOKEN: String(40 + attempt),
  };
  return execa(program, args, { extendEnv: false, env, reject: false, stdio: 'ignore' });
}

const evidence = () => readEvidence(join(folder, 'evidence'));

it('notes its start and its end, and succeeds from the attempt on that it was told', async () => {
  const options = { durationMs: 5, exitCode: 3, succeedsFromAttempt: 2 };
  expect((await run(1, options)).exitCode).toBe(3);
  expect((await run(2, options)).exitCode).toBe(0);
  expect(evidence()).toMatchObject([
    {
      runId: RUN_ID,
      job: 'job',
      attempt: 1,
      fencingToken: 41,
      workerPid: process.pid,
      exitCode: 3,
      beside: [],
    },
    { attempt: 2, fencingToken: 42, exitCode: 0, beside: [] },
  ]);
  const [first] = evidence();
  expect(first!.lastSeenMs).toBeGreaterThan(first!.startedAtMs);
});

it('finds out that another attempt lives, also when only a process of its tree does', async () => {
  const first = run(1, { durationMs: 60_000, tree: true });
  const stray = await waitUntil(
    async () => (await execa({ reject: false })`pgrep -P ${first.pid!} sleep`).stdout,
    {
      what: 'the process that the first one leaves behind',
    },
  );
  first.kill('SIGKILL');
  await first;
  await run(2, { durationMs: 5 });
  process.kill(Number(stray), 'SIGKILL');
  await waitUntil(async () => (await execa({ reject: false })`kill -0 ${stray}`).failed, { what: 'its end' });
  await run(3, { durationMs: 5 });
  const besides = evidence().map(({ beside }) => beside);
  expect(besides).toEqual([[], [{ runId: RUN_ID, attempt: 1, workerPid: process.pid }], []]);
});

it('finds out that another firing of its job runs, where it is to be alone', async () => {
  const other = 'job/2026-11-21T14:00:10.000Z';
  const first = run(1, { durationMs: 60_000, alone: 'job' });
  await waitUntil(() => readFileSync(join(folder, 'locks', 'job'), 'utf8'), { what: 'its lock' });
  await run(1, { durationMs: 5 }, other);
  await run(2, { durationMs: 5, alone: 'job' }, other);
  first.kill('SIGKILL');
  await first;
  expect(evidence().map(({ beside }) => beside.map(({ runId }) => runId))).toEqual([[], [], [RUN_ID]]);
});
