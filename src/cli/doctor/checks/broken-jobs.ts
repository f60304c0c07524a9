import { formatProblem } from '../../../jobs/index.js';
import type { Check } from '../finding.js';

export const brokenJobs: Check = {
  name: 'broken-jobs',
  good: 'every job is valid',
  find: ({ snapshot }) => {
    const broken = [...snapshot.jobs.values()].filter((entry) => entry.job === null);
    if (broken.length === 0) return [];
    return [
      {
        severity: 'error',
        what: 'definitions of jobs are broken: these jobs do not run',
        where: broken.map((entry) => {
          const [first] = entry.problems;
          return first === undefined ? entry.name : `${entry.name}: ${formatProblem(first)}`;
        }),
        remedy:
          'See all that is wrong with "etcron jobs get <job>", and mend it with "etcron jobs edit <job>".',
      },
    ];
  },
};
