import type { JobEntry } from '../../view/job-entry.js';

export type JobState = 'ok' | 'paused' | 'broken';

export function jobState(entry: JobEntry): JobState {
  if (entry.job === null) return 'broken';
  return entry.job.paused ? 'paused' : 'ok';
}
