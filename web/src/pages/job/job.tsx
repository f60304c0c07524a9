/** One job: what it is, when it is due, how it went, and what can be done about it. */
import { useState } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { path, query } from '../../api/client.js';
import type { DueTime, JobDetails, JobHistory } from '../../api/types.js';
import { runsHref } from '../../format/links.js';
import { dateText } from '../../format/time.js';
import { now } from '../../live/now.js';
import { useResource } from '../../live/resource.js';
import type { LiveEvent } from '../../live/connection.js';
import { may } from '../../live/session.js';
import { useTitle } from '../../shell/title.js';
import { Icon } from '../../ui/icon.js';
import { JobStateMark } from '../../ui/job-state.js';
import { Moment, Relative } from '../../ui/moment.js';
import { Panel } from '../../ui/panel.js';
import { RunRow } from '../../ui/run-rows.js';
import { Empty, Loaded, Problem } from '../../ui/states.js';
import { say } from '../../ui/toast.js';
import { DefinitionEditor } from './definition-editor.js';
import { HeatMap } from './heat-map.js';
import { JobActions, type JobAction } from './job-actions.js';

const HISTORY_DAYS = 364;

/** Whether a change is about this job. What cannot be read is. */
function concerns(name: string): (event: LiveEvent) => boolean {
  return ({ topic, data }) => {
    if (topic === 'workers' || topic === 'leader') return false;
    const { changed, removed, ended, more } = (data ?? { more: true }) as {
      changed?: { name?: string; job?: string }[];
      removed?: string[];
      ended?: { job: string }[];
      more?: boolean;
    };
    return (
      more === true ||
      (changed ?? []).some((one) => (one.name ?? one.job) === name) ||
      (ended ?? []).some((one) => one.job === name) ||
      (removed ?? []).some((one) => one === name || one.startsWith(`${name}/`))
    );
  };
}

export function JobPage({ name }: { name: string }) {
  useTitle(name);
  const [, navigate] = useLocation();
  const job = useResource<JobDetails>(path('jobs', name), { isAffected: concerns(name), refreshMs: 60_000 });
  const history = useResource<JobHistory>(
    `${path('jobs', name, 'history')}${query({ days: HISTORY_DAYS })}`,
    {
      isAffected: (event) => event.topic === 'runs' && concerns(name)(event),
      everyMs: 5_000,
    },
  );
  const [action, setAction] = useState<JobAction | null>(null);
  const [isEditing, setEditing] = useState(false);

  const isGone = job.problem?.status === 404;
  return (
    <div class="stack">
      <p class="crumb">
        <Link href="/jobs">
          <Icon name="back" /> Jobs
        </Link>
      </p>
      {isGone && job.problem ? (
        <>
          <h1 class="mono">{name}</h1>
          <Problem problem={job.problem} />
        </>
      ) : (
        <Loaded state={job} rows={8}>
          {(data) => (
            <>
              <JobHead job={data} onAction={setAction} onEdit={() => setEditing(true)} />
              {job.problem && !job.problem.isUnreachable && (
                <Problem problem={job.problem} retry={job.reload} />
              )}
              {isEditing ? (
                <Panel title={`Edit ${data.name}`}>
                  <div class="panel-text">
                    <DefinitionEditor
                      name={data.name}
                      text={data.yaml ?? data.text}
                      revision={data.revision}
                      onCancel={() => setEditing(false)}
                      onSaved={(saved) => {
                        setEditing(false);
                        say(saved.changed ? `${data.name} is saved.` : 'Nothing has changed.');
                        for (const warning of saved.warnings) say(warning);
                        void job.reload();
                      }}
                    />
                  </div>
                </Panel>
              ) : null}
              <Notices job={data} />
              <div class="two">
                <Panel title="Due next" aside={<span class="muted">{data.timezone}</span>}>
                  <DueTimes job={data} />
                </Panel>
                <Panel
                  title="Runs"
                  aside={<Link href={runsHref({ job: data.name })}>All runs of this job</Link>}
                >
                  <LastRuns job={data} />
                </Panel>
              </div>
              <Panel title="History" aside={<span class="muted">the last {HISTORY_DAYS / 7} weeks</span>}>
                <Loaded state={history} rows={3}>
                  {(days) => <HeatMap history={days} today={dateText(now.value, days.timezone)} />}
                </Loaded>
              </Panel>
              {!isEditing && (
                <Panel title="Definition" aside={<span class="muted small mono clip">{data.key}</span>}>
                  <pre class="code panel-code" tabIndex={0} aria-label="Definition">
                    {data.yaml ?? data.text}
                  </pre>
                </Panel>
              )}
              {action !== null && (
                <JobActions
                  action={action}
                  job={data}
                  onClose={() => setAction(null)}
                  onDone={(done) => {
                    void job.reload();
                    if (done === 'delete') navigate('/jobs');
                  }}
                />
              )}
            </>
          )}
        </Loaded>
      )}
    </div>
  );
}

function JobHead({
  job,
  onAction,
  onEdit,
}: {
  job: JobDetails;
  onAction: (action: JobAction) => void;
  onEdit: () => void;
}) {
  const operator = may('operator');
  const admin = may('admin');
  return (
    <div class="page-head">
      <div class="page-head-text">
        <h1 class="mono">{job.name}</h1>
        <p class="row">
          <JobStateMark job={job} />
          {job.when !== null && (
            <span class="lines-3" title={job.when}>
              {job.when}
            </span>
          )}
          {job.next !== null && (
            <span class="muted">
              next <Relative at={job.next} />
            </span>
          )}
        </p>
        {job.description !== '' && (
          <p class="muted lines-3" title={job.description}>
            {job.description}
          </p>
        )}
        <p class="row small muted">
          {job.schedule.map((one) => (
            <code key={one}>{one}</code>
          ))}
          {job.bounds !== '' && <span>{job.bounds}</span>}
          {job.kind !== null && <span>{job.kind}</span>}
          {job.recovery !== null && <span>recovery: {job.recovery}</span>}
          {job.maxRuns !== null && (
            <span>
              {job.runsCounted ?? 0} of {job.maxRuns} runs
            </span>
          )}
          {job.set !== null && <span>set {job.set}</span>}
          {Object.entries(job.labels).map(([label, value]) => (
            <Link key={label} href={`/jobs${query({ label: `${label}=${value}` })}`} class="label">
              {label}={value}
            </Link>
          ))}
        </p>
      </div>
      <div class="page-actions">
        {operator && job.state !== 'broken' && (
          <button type="button" class="button primary" onClick={() => onAction('run')}>
            <Icon name="run" /> Run now
          </button>
        )}
        {operator &&
          job.state !== 'broken' &&
          (job.pause === null ? (
            <button type="button" class="button" onClick={() => onAction('pause')}>
              <Icon name="pause" /> Pause
            </button>
          ) : (
            <button type="button" class="button" onClick={() => onAction('resume')}>
              <Icon name="run" /> Resume
            </button>
          ))}
        {admin && (
          <button type="button" class="button" onClick={onEdit}>
            Edit
          </button>
        )}
        {admin && (
          <button type="button" class="button danger-quiet" onClick={() => onAction('delete')}>
            Delete
          </button>
        )}
        {!operator && <span class="muted small">You may look; changes need an operator.</span>}
      </div>
    </div>
  );
}

/** What keeps it from running. */
function Notices({ job }: { job: JobDetails }) {
  return (
    <>
      {job.pause !== null && (
        <div class="notice tone-skipped">
          <Icon name="pause" />
          <div>
            <p class="strong">Paused{job.pause.reason === null ? '' : `: ${job.pause.reason}`}</p>
            <p class="muted">
              {job.pause.until === null ? (
                'Until somebody resumes it. Due times pass without a run.'
              ) : (
                <>
                  Until <Moment at={job.pause.until} zone={job.timezone} full />.
                </>
              )}
            </p>
          </div>
        </div>
      )}
      {job.problems.length > 0 && (
        <div class="notice tone-failed">
          <Icon name="warning" />
          <div>
            <p class="strong">The definition is wrong, so it does not run.</p>
            <ul>
              {job.problems.map((problem, index) => (
                <li key={index}>
                  {problem.path !== '' && <code>{problem.path}</code>} {problem.message}
                  {problem.hint !== null && <span class="muted"> {problem.hint}</span>}
                </li>
              ))}
            </ul>
          </div>
        </div>
      )}
      {job.cannotRun !== null && (
        <div class="notice tone-failed">
          <Icon name="ban" />
          <div>
            <p class="strong">
              {job.cannotRun.startsWith('the limit ')
                ? 'A limit keeps it from running.'
                : 'No worker can run it.'}
            </p>
            <p>{job.cannotRun}</p>
            <p>
              {job.cannotRun.startsWith('the limit ') ? (
                <Link href="/limits">Limits</Link>
              ) : (
                <Link href="/workers">Workers and their labels</Link>
              )}
            </p>
          </div>
        </div>
      )}
    </>
  );
}

function DueTimes({ job }: { job: JobDetails }) {
  if (job.dueTimes.length === 0)
    return (
      <Empty icon="clock">{job.state === 'broken' ? 'Not known while it is broken.' : 'Never again.'}</Empty>
    );
  return (
    <ol class="due-times">
      {job.dueTimes.map((one) => (
        <DueRow key={one.due} due={one} />
      ))}
    </ol>
  );
}

function DueRow({ due }: { due: DueTime }) {
  return (
    <li class="due-row">
      <span class="mono due-local">{due.local}</span>
      <span class="muted">
        <Relative at={due.due} />
      </span>
      {due.note !== null && (
        <span class="mark tone-late due-note">
          <Icon name="clock" /> {due.note}
        </span>
      )}
    </li>
  );
}

function LastRuns({ job }: { job: JobDetails }) {
  const runs = [...job.underWay, ...job.lastRuns].slice(0, 12);
  if (runs.length === 0) return <Empty icon="history">It has not run yet.</Empty>;
  return (
    <ol class="run-rows">
      {runs.map((run) => (
        <li key={run.run}>
          <RunRow run={run} zone={job.timezone} />
        </li>
      ))}
    </ol>
  );
}
