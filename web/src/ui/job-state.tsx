import type { Job } from '../api/types.js';
import { Badge } from './outcome.js';

/** What a person should know of a job before its schedule: broken, cannot run, paused, late, running, done. */
export function JobStateMark({ job }: { job: Job }) {
  if (job.state === 'broken')
    return (
      <Badge tone="failed" icon="warning">
        broken
      </Badge>
    );
  if (job.state === 'paused')
    return (
      <Badge tone="skipped" icon="pause">
        paused
      </Badge>
    );
  if (job.cannotRun !== null)
    return (
      <Badge tone="failed" icon="ban">
        can’t run
      </Badge>
    );
  if (job.late > 0)
    return (
      <Badge tone="late" icon="clock">
        late
      </Badge>
    );
  if (job.running > 0)
    return (
      <Badge tone="plain" icon="run">
        running
      </Badge>
    );
  if (job.state === 'done')
    return (
      <Badge tone="plain" icon="check">
        done
      </Badge>
    );
  return null;
}
