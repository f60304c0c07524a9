import { useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { path, request } from '../../api/client.js';
import type { JobDetails, RequestedRun } from '../../api/types.js';
import { runHref } from '../../format/links.js';
import { plural } from '../../format/words.js';
import { now } from '../../live/now.js';
import { ActionDialog } from '../../ui/dialog.js';
import { say } from '../../ui/toast.js';

export type JobAction = 'run' | 'pause' | 'resume' | 'delete';

/** The dialogs of what can be done to a job; each says what will happen. */
export function JobActions({
  action,
  job,
  onClose,
  onDone,
}: {
  action: JobAction;
  job: JobDetails;
  onClose: () => void;
  onDone: (action: JobAction) => void;
}) {
  const [until, setUntil] = useState('');
  const done = (): void => onDone(action);
  const running = job.running;
  const url = path('jobs', job.name);
  if (action === 'run')
    return (
      <ActionDialog
        title="Run now"
        action="Run now"
        onClose={onClose}
        act={async () => {
          const { run } = await request<RequestedRun>(`${url}/runs`, { method: 'POST', body: {} });
          say(
            <>
              Requested. <Link href={runHref(run)}>Watch the run</Link>
            </>,
          );
          done();
        }}
      >
        <p>
          Starts 1 more run of <b class="mono">{job.name}</b>, beside its schedule.
        </p>
        {running > 0 && (
          <p class="muted">
            {plural(running, 'run')} of it {running === 1 ? 'is' : 'are'} under way: its overlap rule decides
            whether this one waits, is skipped, or starts beside it.
          </p>
        )}
        {job.cannotRun !== null && <p class="mark tone-failed">It will wait: {job.cannotRun}</p>}
      </ActionDialog>
    );
  if (action === 'pause')
    return (
      <ActionDialog
        title="Pause"
        action="Pause"
        onClose={onClose}
        reason={{ label: 'Why (others will see it)', placeholder: 'database moves to the new host' }}
        act={async (reason) => {
          const body = { ...(reason && { reason }), ...(until && { until }) };
          await request(`${url}/pause`, { method: 'POST', body });
          say(`${job.name} is paused.`);
          done();
        }}
      >
        <p>
          Due times of <b class="mono">{job.name}</b> pass without a run {coming(job)}
          {running > 0
            ? ` ${plural(running, 'run')} under way ${running === 1 ? 'goes' : 'go'} on.`
            : ' Nothing is running now.'}
        </p>
        <label class="field">
          <span>Until (in {job.timezone ?? 'UTC'}; empty: until somebody resumes it)</span>
          <input
            class="input"
            type="datetime-local"
            value={until}
            onInput={(event) => setUntil(event.currentTarget.value)}
          />
        </label>
      </ActionDialog>
    );
  if (action === 'resume')
    return (
      <ActionDialog
        title="Resume"
        action="Resume"
        onClose={onClose}
        act={async () => {
          await request(`${url}/resume`, { method: 'POST', body: {} });
          say(`${job.name} runs again.`);
          done();
        }}
      >
        <p>
          <b class="mono">{job.name}</b> is due again by its schedule. What was due while it was paused is not
          made up for.
        </p>
      </ActionDialog>
    );
  return (
    <ActionDialog
      title="Delete"
      action="Delete the job"
      dangerous
      onClose={onClose}
      act={async () => {
        await request(url, { method: 'DELETE', headers: { 'if-match': `"${job.revision}"` } });
        say(`${job.name} is deleted.`);
        done();
      }}
    >
      <p>
        Deletes the definition of <b class="mono">{job.name}</b>: it will not be due again.{' '}
        {running > 0
          ? `${plural(running, 'run')} under way ${running === 1 ? 'goes' : 'go'} on to ${running === 1 ? 'its' : 'their'} end.`
          : 'Nothing of it is running now.'}
      </p>
      {job.set !== null && (
        <p class="muted">
          The set of files “{job.set}” manages it: the next apply of these files makes it again.
        </p>
      )}
    </ActionDialog>
  );
}

/** How many due times lie within the next day, as far as they are known. */
function coming(job: JobDetails): string {
  const day = now.value + 86_400_000;
  const within = job.dueTimes.filter(({ due }) => Date.parse(due) < day).length;
  if (within === 0) return '(none within a day).';
  const more = within === job.dueTimes.length;
  return `(${more ? 'at least ' : ''}${within} within a day).`;
}
