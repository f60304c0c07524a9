import { jobWarnings } from '../../../operations/job-warnings.js';
import { neverAgain } from '../../../operations/never-again.js';
import type { Check } from '../finding.js';

export const doubtfulJobs: Check = {
  name: 'doubtful-jobs',
  good: 'no job has settings that surely are not meant so',
  find: ({ snapshot, nowMs }) => {
    const jobs = [...snapshot.jobs.values()].flatMap(({ job }) => job ?? []);
    // Those are told of by another check.
    const told = new Set(neverAgain(jobs, nowMs));
    const doubtful = jobWarnings(jobs, nowMs).filter((line) => !told.has(line));
    if (doubtful.length === 0) return [];
    return [
      {
        severity: 'advice',
        what: 'settings of jobs are valid, and surely not meant so',
        where: doubtful,
        remedy: 'Change them with "etcron jobs edit <job>", or in their files.',
      },
    ];
  },
};
