/** One run: how it went or how far it is, where, why, and what it wrote. */
import { useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { path, request, runPath } from '../../api/client.js';
import type { JobDetails, RequestedRun, RunDetails } from '../../api/types.js';
import { jobHref, runHref, runsHref } from '../../format/links.js';
import { coarseText, durationText, fullText, shownZone } from '../../format/time.js';
import { plural } from '../../format/words.js';
import type { LiveEvent } from '../../live/connection.js';
import { now } from '../../live/now.js';
import { useResource } from '../../live/resource.js';
import { may } from '../../live/session.js';
import { useTitle } from '../../shell/title.js';
import { ActionDialog } from '../../ui/dialog.js';
import { Icon } from '../../ui/icon.js';
import { Moment } from '../../ui/moment.js';
import { lookOf, Mark } from '../../ui/outcome.js';
import { Panel } from '../../ui/panel.js';
import { Loaded, Problem } from '../../ui/states.js';
import { say } from '../../ui/toast.js';
import { Output } from './output.js';

/** Whether a change is about this run. What cannot be read is. */
function concerns(id: string): (event: LiveEvent) => boolean {
  return ({ topic, data }) => {
    if (topic !== 'firings' && topic !== 'runs') return false;
    const { changed, removed, ended, more } = (data ?? { more: true }) as {
      changed?: { run: string }[];
      removed?: string[];
      ended?: { run: string }[];
      more?: boolean;
    };
    return (
      more === true ||
      [...(changed ?? []), ...(ended ?? [])].some(({ run }) => run === id) ||
      (removed ?? []).includes(id)
    );
  };
}

export function RunPage({ job, due }: { job: string; due: string }) {
  const id = `${job}/${due}`;
  useTitle(job);
  const run = useResource<RunDetails>(runPath(id), { isAffected: concerns(id), everyMs: 500 });
  // The definition says how many attempts there may be, and what becomes of a crash.
  const definition = useResource<JobDetails>(path('jobs', job));
  const [action, setAction] = useState<'kill' | 'rerun' | null>(null);
  return (
    <div class="stack">
      <p class="crumb">
        <Link href={jobHref(job)}>
          <Icon name="back" /> <span class="mono">{job}</span>
        </Link>
      </p>
      {run.problem?.status === 404 ? (
        <>
          <h1 class="mono">{id}</h1>
          <Problem problem={run.problem} />
        </>
      ) : (
        <Loaded state={run} rows={8}>
          {(data) => (
            <>
              <RunHead run={data} job={definition.data} onAction={setAction} />
              {run.problem && !run.problem.isUnreachable && <Problem problem={run.problem} />}
              {data.problem !== null && (
                <div class="notice tone-failed">
                  <Icon name="warning" />
                  <p>The record is damaged: {data.problem}</p>
                </div>
              )}
              <Output run={data} />
              <div class="two">
                <Panel title="Course">
                  <Course run={data} zone={definition.data?.timezone ?? null} />
                </Panel>
                <Panel title="Facts">
                  <Facts run={data} />
                </Panel>
              </div>
              {action !== null && (
                <RunAction
                  action={action}
                  run={data}
                  job={definition.data}
                  onClose={() => setAction(null)}
                  onDone={() => void run.reload()}
                />
              )}
            </>
          )}
        </Loaded>
      )}
    </div>
  );
}

function RunHead({
  run,
  job,
  onAction,
}: {
  run: RunDetails;
  job: JobDetails | null;
  onAction: (action: 'kill' | 'rerun') => void;
}) {
  const look = lookOf(run);
  const most = maxAttempts(job);
  const isOver = run.state === 'ended';
  return (
    <div class="page-head">
      <div class="page-head-text">
        <h1 class="run-outcome">
          <Mark look={look} />
        </h1>
        <p class="row">
          <Link href={jobHref(run.job)} class="mono strong">
            {run.job}
          </Link>
          <span>
            due <Moment at={run.due} zone={job?.timezone ?? null} full />
          </span>
        </p>
        <p class="row muted">
          {run.attempts > 0 && (
            <span>
              attempt {run.attempts}
              {most > 1 && ` of ${most}`}
            </span>
          )}
          {run.crashes > 0 && <span>{plural(run.crashes, 'attempt')} lost with the worker</span>}
          {run.worker !== null && (
            <span>
              on{' '}
              <Link href={runsHref({ worker: run.worker })} class="mono">
                {run.worker}
              </Link>
            </span>
          )}
          {run.manual && <span>asked for by {run.requestedBy ?? 'somebody'}</span>}
          {run.misfire && <span>runs late on purpose (misfire)</span>}
        </p>
        {(run.reason ?? run.why) !== null && <p class="strong">{run.reason ?? run.why}</p>}
        {run.missed !== null && (
          <p>
            Stands for {run.missed.atLeast ? 'at least ' : ''}
            {plural(run.missed.count, 'due time')}, from <Moment at={run.missed.from} /> to{' '}
            <Moment at={run.missed.through} />.
          </p>
        )}
        {run.kill !== null && !isOver && (
          <p class="mark tone-late">
            <Icon name="stop" /> {run.kill.by ?? 'Somebody'} asked for its end: {run.kill.reason}
          </p>
        )}
      </div>
      <div class="page-actions">
        {may('operator') && !isOver && (
          <button
            type="button"
            class="button danger-quiet"
            disabled={run.killRequested}
            onClick={() => onAction('kill')}
          >
            <Icon name="stop" /> {run.killRequested ? 'Ending …' : 'Kill'}
          </button>
        )}
        {may('operator') && isOver && run.jobExists && (
          <button type="button" class="button primary" onClick={() => onAction('rerun')}>
            <Icon name="history" /> Run again
          </button>
        )}
      </div>
    </div>
  );
}

/** What happened when, from its due time on. */
function Course({ run, zone }: { run: RunDetails; zone: string | null }) {
  const shown = shownZone(zone);
  const at = (time: string): string => fullText(Date.parse(time), shown).slice(4);
  const steps: [string, string, (string | undefined)?][] = [];
  steps.push(['due', run.due]);
  if (run.notBefore !== null && run.startedAt === null) steps.push(['not before', run.notBefore]);
  if (run.claimedAt !== null) steps.push(['claimed', run.claimedAt, run.worker ?? undefined]);
  if (run.startedAt !== null) {
    const late = run.latenessMs === null ? undefined : `late by ${durationText(run.latenessMs)}`;
    steps.push([run.attempts > 1 ? `attempt ${run.attempts}` : 'started', run.startedAt, late]);
  }
  if (run.kill !== null) steps.push(['kill asked', run.kill.at, run.kill.by ?? undefined]);
  if (run.endedAt !== null)
    steps.push([
      'ended',
      run.endedAt,
      run.durationMs === null ? undefined : `after ${durationText(run.durationMs)}`,
    ]);
  if (typeof run.late?.endedAt === 'string') steps.push(['really ended', run.late.endedAt, run.late.outcome]);
  if (run.recordedAt !== null && run.endedAt === null) steps.push(['recorded', run.recordedAt]);
  // Some records are claimed and started in another order of the clocks; told in the order of time.
  steps.sort(([, one], [, other]) => Date.parse(one) - Date.parse(other));
  return (
    <ol class="course">
      {steps.map(([what, time, more]) => (
        <li key={what}>
          <span class="strong">{what}</span>
          <span>
            <span class="mono">{at(time)}</span> {more !== undefined && <span class="muted">{more}</span>}
          </span>
        </li>
      ))}
      {run.state === 'running' && (
        <li>
          <span class="strong">now</span>
          <span>running for {coarseText(now.value - Date.parse(run.startedAt ?? run.due), 2)}</span>
        </li>
      )}
    </ol>
  );
}

function Facts({ run }: { run: RunDetails }) {
  const facts: [string, string | null][] = [
    ['Exit code', run.exitCode === null ? null : String(run.exitCode)],
    ['Signal', run.signal],
    ['Took', run.durationMs === null ? null : durationText(run.durationMs)],
    ['Late by', run.latenessMs === null ? null : durationText(run.latenessMs)],
    ['Worker', run.worker],
    ['Node', run.node],
    ['Fencing token', run.fencingToken],
    ['Revision', String(run.revision)],
    ['Run', run.run],
  ];
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="mono">{value}</dd>
          </div>
        ))}
    </dl>
  );
}

function maxAttempts(job: JobDetails | null): number {
  const retries = job?.definition?.retries as { attempts?: unknown } | undefined;
  return typeof retries?.attempts === 'number' ? retries.attempts : 1;
}

function RunAction({
  action,
  run,
  job,
  onClose,
  onDone,
}: {
  action: 'kill' | 'rerun';
  run: RunDetails;
  job: JobDetails | null;
  onClose: () => void;
  onDone: () => void;
}) {
  const name = <b class="mono">{run.job}</b>;
  if (action === 'rerun')
    return (
      <ActionDialog
        title="Run again"
        action="Run again"
        onClose={onClose}
        act={async () => {
          const again = await request<RequestedRun>(runPath(run.run, 'rerun'), { method: 'POST', body: {} });
          say(
            <>
              Requested. <Link href={runHref(again.run)}>Watch the run</Link>
            </>,
          );
          onDone();
        }}
      >
        <p>Starts 1 new run of {name} now, with the definition as it is today. This record stays as it is.</p>
        {job !== null && job.running > 0 && (
          <p class="muted">
            {plural(job.running, 'run')} of it {job.running === 1 ? 'is' : 'are'} under way: its overlap rule
            decides whether this one waits.
          </p>
        )}
      </ActionDialog>
    );
  const isRunning = run.worker !== null && (run.state === 'running' || run.state === 'claimed');
  return (
    <ActionDialog
      title="Kill"
      action="Kill"
      dangerous
      reason={{ label: 'Why (it stands in the record)', placeholder: 'hangs since 2 o’clock' }}
      onClose={onClose}
      act={async (reason) => {
        await request(runPath(run.run, 'kill'), { method: 'POST', body: reason ? { reason } : {} });
        say('The worker ends it.');
        onDone();
      }}
    >
      <p>
        {isRunning ? (
          <>
            {KILLS[job?.kind ?? 'command']} on <b class="mono">{run.worker}</b>: attempt {run.attempts} of{' '}
            {name}.
          </>
        ) : (
          <>Withdraws 1 firing of {name}, which is not running now.</>
        )}
      </p>
      <AfterKill run={run} job={job} />
    </ActionDialog>
  );
}

const KILLS: Readonly<Record<NonNullable<JobDetails['kind']>, string>> = {
  command: 'Kills 1 process tree',
  http: 'Closes the connection of 1 request',
  handler: 'Asks 1 handler to end',
};

/** What the rules of the job make of a kill: it is an end that somebody wanted, so nothing is tried again. */
function AfterKill({ run, job }: { run: RunDetails; job: JobDetails | null }) {
  const left = maxAttempts(job) - (run.attempts - run.crashes);
  const queued = job?.underWay.filter(({ state }) => state === 'queued').length ?? 0;
  return (
    <>
      <p>
        The run ends <b>killed</b> and is not started again, on no worker
        {job?.recovery === 'rerun' && (
          <>
            : <code>recovery: rerun</code> is for a worker that dies, not for a kill
          </>
        )}
        {job?.recovery === 'abandon' && (
          <>
            , as with <code>recovery: abandon</code> after the death of its worker
          </>
        )}
        .{' '}
        {left > 0
          ? `No retry follows, although ${plural(left, 'attempt')} would be left.`
          : 'No retry follows.'}
      </p>
      {(queued > 0 || typeof job?.next === 'string') && (
        <p>
          {queued > 0 &&
            `${plural(queued, 'run')} of it ${queued === 1 ? 'waits' : 'wait'} for its turn and may start then. `}
          {typeof job?.next === 'string' && (
            <>
              The job is due again <Moment at={job.next} zone={job.timezone} />.
            </>
          )}
        </p>
      )}
    </>
  );
}
