import { expect, it } from 'vitest';
import { parseJobsFile } from '../../src/jobs/index.js';
import { jobWarnings, jobWarningsInTurns } from '../../src/operations/job-warnings.js';

it('a long file is judged in turns, to the same end', async () => {
  const definition = { schedule: '*/5 * * * *', command: 'true', timeout: '9d', overlap: 'skip' };
  const definitions = Object.fromEntries(
    Array.from({ length: 450 }, (_, index) => [`j${index}`, definition]),
  );
  const parsed = parseJobsFile(JSON.stringify({ jobs: definitions }), 'text');
  const jobs = [...parsed.jobs.values()].map(({ job }) => job);
  const nowMs = Date.UTC(2026, 10, 22);
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const lines = await jobWarningsInTurns(jobs, nowMs);
  isOver = true;
  expect(turns).toBeGreaterThanOrEqual(4);
  expect(lines).toHaveLength(450);
  expect(lines).toEqual(jobWarnings(jobs, nowMs));
});
