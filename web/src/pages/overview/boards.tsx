/** The two boards: what is on its way and comes next, and what came in. One row a firing, places that do not move. */
import { Link } from 'wouter-preact';
import type { ComingRun, Run, Timeline } from '../../api/types.js';
import { jobHref, runHref, runsHref } from '../../format/links.js';
import { coarseText, durationText, relativeText } from '../../format/time.js';
import { now } from '../../live/now.js';
import { Icon } from '../../ui/icon.js';
import { Moment } from '../../ui/moment.js';
import { lookOf, Mark } from '../../ui/outcome.js';
import { Panel } from '../../ui/panel.js';
import { Empty } from '../../ui/states.js';

/** As many rows on either side, so that both boards are equally high. */
const ROWS = 12;
const MAX_RUNNING_ROWS = 6;

export function Departures({ timeline, late }: { timeline: Timeline; late: readonly Run[] }) {
  const running = [...late, ...timeline.running].slice(0, MAX_RUNNING_ROWS);
  const more = late.length + timeline.running.length - running.length;
  // A firing that is running already, or that is late, has its row.
  const shown = new Set(running.map(({ run }) => run));
  const coming = timeline.coming
    .filter(({ run, due }) => (run === null || !shown.has(run)) && Date.parse(due) > now.value - 2_000)
    .slice(0, ROWS - running.length);
  return (
    <Panel
      title="Departures"
      class="board"
      aside={more > 0 ? <Link href={runsHref({ state: 'running' })}>{more} more running</Link> : undefined}
    >
      {running.length + coming.length === 0 ? (
        <Empty icon="clock">Nothing is due in the next hour.</Empty>
      ) : (
        <ol class="board-rows">
          {running.map((run) => (
            <RunningRow key={run.run} run={run} />
          ))}
          {coming.map((one) => (
            <ComingRow key={`${one.job} ${one.due} ${one.run ?? ''}`} coming={one} />
          ))}
        </ol>
      )}
    </Panel>
  );
}

function RunningRow({ run }: { run: Run }) {
  const sinceMs = now.value - Date.parse(run.startedAt ?? run.due);
  const look = lookOf(run);
  return (
    <li class="board-row is-running">
      <Moment at={run.due} />
      <Link href={runHref(run.run)} class="mono clip board-job" title={run.job}>
        {run.job}
      </Link>
      <span class="board-what">
        <Mark look={look} />{' '}
        {run.state === 'running'
          ? coarseText(sinceMs)
          : run.state === 'late'
            ? `by ${coarseText(sinceMs)}`
            : ''}
        {run.attempts > 1 && <span class="muted"> attempt {run.attempts}</span>}
      </span>
      <WorkerName name={run.worker} />
    </li>
  );
}

function ComingRow({ coming }: { coming: ComingRun }) {
  const { pause, cannotRun } = coming;
  return (
    <li class={`board-row ${pause === null ? '' : 'is-off'}`}>
      <Moment at={coming.due} />
      <Link href={jobHref(coming.job)} class="mono clip board-job" title={coming.job}>
        {coming.job}
      </Link>
      <span class="board-what">
        {cannotRun !== null ? (
          <span class="mark tone-failed" title={cannotRun}>
            <Icon name="ban" />
            can’t run
          </span>
        ) : pause !== null ? (
          <span class="mark tone-skipped" title={pause.reason ?? 'paused'}>
            <Icon name="pause" />
            <span class="clip">paused{pause.reason === null ? '' : `: ${pause.reason}`}</span>
          </span>
        ) : (
          relativeText(Date.parse(coming.due), now.value)
        )}
      </span>
      <WorkerName name={coming.worker ?? everywhereOn(coming.run)} />
    </li>
  );
}

export function Arrivals({ timeline }: { timeline: Timeline }) {
  const past = timeline.past.slice(0, ROWS);
  return (
    <Panel title="Arrivals" class="board" aside={<Link href="/runs">All runs</Link>}>
      {past.length === 0 ? (
        <Empty icon="history">Nothing has run in the last hour.</Empty>
      ) : (
        <ol class="board-rows">
          {past.map((run) => (
            <li class="board-row" key={run.run}>
              <Moment at={run.due} />
              <Link href={runHref(run.run)} class="mono clip board-job" title={run.job}>
                {run.job}
              </Link>
              <span class="board-what">
                <Mark look={lookOf(run)} /> <span class="muted clip">{endText(run)}</span>
              </span>
              <span class="board-late muted nowrap" title="Late by">
                {run.latenessMs === null ? '' : `+${durationText(run.latenessMs)}`}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

/** What the outcome alone does not say: `exit 2 · 12 s`, `overlap`. */
export function endText(run: Run): string {
  const parts: string[] = [];
  if (run.exitCode !== null && run.exitCode !== 0) parts.push(`exit ${run.exitCode}`);
  else if (run.signal !== null) parts.push(run.signal);
  else if (run.outcome !== 'succeeded' && run.reason !== null) parts.push(run.reason);
  if (run.durationMs !== null) parts.push(durationText(run.durationMs));
  if (run.attempts > 1) parts.push(`×${run.attempts}`);
  if (run.suffix?.startsWith('on-') === true) parts.push(run.suffix.replace('-', ' '));
  return parts.join(' · ');
}

/** Of a job that runs on each worker: on which this one will. */
function everywhereOn(run: string | null): string | null {
  return /\+on-(.+)$/.exec(run ?? '')?.[1] ?? null;
}

function WorkerName({ name }: { name: string | null }) {
  return <span class="board-worker mono muted clip">{name ?? ''}</span>;
}
