/** Whatever happens to its processes, a campaign accounts for every seed. */
import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { runCampaign } from '../../src/testing/simulation/campaign.js';

/** A process that does `act` with each seed, and then reports it as kept. */
const processThat = (act: string) => () =>
  spawn(
    process.execPath,
    [
      '-e',
      `process.on('disconnect', () => process.exit(0));
       process.on('message', async (seeds) => {
         for (const seed of seeds) { ${act}; process.send({ type: 'result', result: { seed } }); }
       });`,
    ],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );

async function run(
  act: string,
  options: { last: number; processes?: number; silenceMs?: number },
): Promise<{ done: number[]; lost: string[] }> {
  const done: number[] = [];
  const lost: string[] = [];
  await runCampaign({
    ...{ first: 1, processes: 2, start: processThat(act) },
    ...options,
    onResult: ({ seed }) => void done.push(seed),
    onLost: ({ first, last }, text) => void lost.push(`${first}–${last}: ${text}`),
  });
  return { done: done.sort((a, b) => a - b), lost };
}

const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

describe('a campaign', () => {
  it('runs every seed once, on all its processes', async () => {
    expect(await run('', { last: 50 })).toEqual({ done: upTo(50), lost: [] });
  });

  it.each([
    ['is killed', `if (seed === 5) process.kill(process.pid, 'SIGKILL')`, 'its process ended: SIGKILL'],
    ['ends', 'if (seed === 5) process.exit(0)', 'its process ended: exit code 0'],
    [
      'crashes',
      `if (seed === 5) { process.send({ type: 'crash', text: 'a defect' }, () => process.exit(1)); return; }`,
      'a defect',
    ],
  ])('names the seed at which a process %s, and runs the others', async (_, act, text) => {
    const { done, lost } = await run(`${act}; await new Promise(setImmediate)`, { last: 30 });
    expect(lost).toEqual([`5–5: ${text}`]);
    expect(done).toEqual(upTo(30).filter((seed) => seed !== 5));
  });

  it('ends a process that hangs', async () => {
    const { done, lost } = await run('if (seed === 5) for (;;);', { last: 5, silenceMs: 3_000 });
    expect(lost).toEqual(['5–5: its process said nothing for 3 s']);
    expect(done).toEqual(upTo(4));
  });

  it('gives up when one process after the other dies, and names what was not run', async () => {
    const { done, lost } = await run('process.exit(3)', { last: 5_000, processes: 1 });
    expect(done).toEqual([]);
    expect(lost.slice(0, 2)).toEqual([
      '1–1: its process ended: exit code 3',
      '2–2: its process ended: exit code 3',
    ]);
    expect(lost.at(-1)).toMatch(/^\d+–5000: not run: 10 processes have died$/);
  });

  it('says so when no process can be started', async () => {
    const lost: string[] = [];
    await runCampaign({
      ...{ first: 1, last: 2, processes: 1 },
      start: () => spawn('/nonexistent/program', { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] }),
      onResult: () => expect.unreachable(),
      onLost: ({ first }, text) => void lost.push(`${first}: ${text}`),
    });
    expect(lost).toEqual([
      expect.stringMatching(/^1: its process could not be started: .*ENOENT/),
      expect.stringMatching(/^2: its process could not be started: .*ENOENT/),
    ]);
  });
});
