import { jobState } from '../../../operations/job-state.js';
import { limitUsage } from '../../../operations/limit-usage.js';
import { fitsAnybody, isActive, whyNobody } from '../../../view/eligibility.js';
import type { Check, Finding } from '../finding.js';

export const placement: Check = {
  name: 'placement',
  good: 'every job finds a worker with its labels, handler and capacity, and its limits have sizes',
  find: ({ snapshot, nowMs }) => {
    const findings: Finding[] = [];
    const records = snapshot.workers.map(({ value }) => value);
    const nowhere = !records.some(isActive)
      ? []
      : [...snapshot.jobs.values()].flatMap((entry) => {
          const { name, job } = entry;
          if (job === null || fitsAnybody(job, records) || jobState(entry, nowMs) !== 'ok') return [];
          const reason = whyNobody(job, null, records);
          return reason === null ? [] : [`${name}: ${reason}`];
        });
    if (nowhere.length > 0)
      findings.push({
        severity: 'error',
        what: 'no worker can run these jobs',
        where: nowhere,
        remedy:
          'Start a worker that has what they ask for, or change their target, handler or weight; "etcron workers list" shows what each worker has.',
      });
    const named = limitUsage(snapshot, nowMs).filter(({ jobs }) => jobs.length > 0);
    const sizeless = named.filter(({ size }) => size === null);
    const closed = named.filter(({ size }) => size === 0);
    if (closed.length > 0)
      findings.push({
        severity: 'warning',
        what: 'limits have the size 0, and let nothing run',
        where: closed.map(({ name, jobs }) => `${name}: ${jobs.join(', ')}`),
        remedy:
          'Somebody may have set them so for a while; when that is over: "etcron limits set <limit> <size>".',
      });
    if (sizeless.length > 0)
      findings.push({
        severity: 'error',
        what: 'limits without a size let nothing run',
        where: sizeless.map(({ name, jobs }) => `${name}: ${jobs.join(', ')}`),
        remedy: 'Give each a size: "etcron limits set <limit> <size>".',
      });
    return findings;
  },
};
