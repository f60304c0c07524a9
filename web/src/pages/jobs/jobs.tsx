/** All jobs, searched, filtered and sorted by the server, so that ten thousand are as quick as ten. */
import { useEffect, useState } from 'preact/hooks';
import { Link, useLocation, useSearch } from 'wouter-preact';
import type { Job, JobList } from '../../api/types.js';
import { jobHref, jobsHref, runHref } from '../../format/links.js';
import { durationText } from '../../format/time.js';
import { countText } from '../../format/words.js';
import { usePagedList, type Answer } from '../../live/pages.js';
import { topics } from '../../live/resource.js';
import { may } from '../../live/session.js';
import { useTitle } from '../../shell/title.js';
import { JobStateMark } from '../../ui/job-state.js';
import { Moment, Relative } from '../../ui/moment.js';
import { Mark, OUTCOME_LOOKS } from '../../ui/outcome.js';
import { Panel } from '../../ui/panel.js';
import { Empty, Problem, Skeleton } from '../../ui/states.js';
import { useNarrow, VirtualList } from '../../ui/virtual-list.js';
import { NewJobDialog } from './new-job.js';

const FILTERS: readonly [string, string][] = [
  ['', 'All'],
  ['failing', 'Failing'],
  ['late', 'Late'],
  ['running', 'Running'],
  ['paused', 'Paused'],
  ['cannot-run,broken', 'Can’t run'],
  ['done', 'Done'],
];

const SORTS: readonly [string, string][] = [
  ['name', 'name'],
  ['next', 'due next'],
  ['-lastRun', 'last run'],
  ['state', 'state'],
];

const PAGE_SIZE = 200;
const ROW_HEIGHT = 44;
const NARROW_ROW_HEIGHT = 76;
const TYPING_PAUSE_MS = 200;

function read(body: unknown): Answer<Job> {
  const { jobs, total, next } = body as JobList;
  return { items: jobs, total, next, complete: true };
}

export function Jobs() {
  useTitle('Jobs');
  const [, navigate] = useLocation();
  const params = new URLSearchParams(useSearch());
  const q = params.get('q') ?? '';
  const state = params.get('state') ?? '';
  const sort = params.get('sort') ?? 'name';
  const label = params.get('label') ?? '';
  const isNew = params.has('new');
  const [text, setText] = useState(q);
  const narrow = useNarrow();

  const show = (changed: Record<string, string>): void => {
    const wanted = { q, state, label, sort: sort === 'name' ? '' : sort, ...changed };
    navigate(jobsHref(wanted), { replace: true });
  };
  useEffect(() => {
    if (text.trim() === q) return;
    const timer = window.setTimeout(() => show({ q: text.trim() }), TYPING_PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [text]);

  const list = usePagedList<Job>({
    path: 'jobs',
    values: { q, state, label, sort },
    pageSize: PAGE_SIZE,
    read,
    isAffected: topics('jobs', 'runs', 'firings'),
  });

  return (
    <div class="stack">
      <div class="row spread">
        <h1>Jobs {list.total !== null && <span class="muted h1-count">{countText(list.total)}</span>}</h1>
        {may('admin') && (
          <button type="button" class="button primary" onClick={() => navigate('/jobs?new')}>
            New job
          </button>
        )}
      </div>
      <div class="filters">
        <input
          class="input filters-search"
          type="search"
          value={text}
          aria-label="Search jobs"
          placeholder="Name, description, schedule or label"
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <label class="filters-sort">
          <select
            class="input"
            value={sort}
            aria-label="Sort by"
            onChange={(event) => show({ sort: event.currentTarget.value })}
          >
            {SORTS.map(([value, name]) => (
              <option key={value} value={value}>
                by {name}
              </option>
            ))}
          </select>
        </label>
        <Choices
          label="Filter"
          choices={FILTERS}
          chosen={state}
          onChoose={(value) => show({ state: value })}
        />
        {label !== '' && (
          <button type="button" class="button small" onClick={() => show({ label: '' })}>
            label {label} ×
          </button>
        )}
      </div>
      <Panel label="Jobs" class="list-panel">
        {list.problem && list.loaded === 0 ? (
          <Problem problem={list.problem} retry={() => list.retry()} />
        ) : list.isFirstLoad ? (
          <Skeleton rows={10} />
        ) : list.count === 0 ? (
          <NoJobs filtered={q !== '' || state !== '' || label !== ''} />
        ) : (
          <>
            <div class="list-head job-row" aria-hidden="true">
              <span>Name</span>
              <span>Schedule</span>
              <span>Next</span>
              <span>Last run</span>
              <span />
            </div>
            <VirtualList
              count={list.count}
              rowHeight={narrow ? NARROW_ROW_HEIGHT : ROW_HEIGHT}
              label="Jobs"
              onVisible={({ first, end }) => list.show(first, end)}
              row={(index) => <JobRow job={list.item(index)} />}
            />
          </>
        )}
      </Panel>
      {isNew && <NewJobDialog onClose={() => navigate('/jobs', { replace: true })} />}
    </div>
  );
}

export function Choices({
  label,
  choices,
  chosen,
  onChoose,
}: {
  label: string;
  choices: readonly (readonly [string, string])[];
  chosen: string;
  onChoose: (value: string) => void;
}) {
  return (
    <div class="choices" role="group" aria-label={label}>
      {choices.map(([value, name]) => (
        <button
          key={value}
          type="button"
          aria-pressed={value === chosen}
          onClick={() => onChoose(value === chosen ? '' : value)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

function JobRow({ job }: { job: Job | null }) {
  if (job === null) return <div class="job-row is-loading" aria-label="Loading" />;
  const { lastRun } = job;
  return (
    <div class={`job-row ${job.state === 'paused' ? 'is-off' : ''}`}>
      <span class="job-name">
        <Link href={jobHref(job.name)} class="mono clip" title={job.name}>
          {job.name}
        </Link>
        <JobStateMark job={job} />
      </span>
      <span class="clip job-when" title={job.schedule.join('\n')}>
        {job.problem ?? job.cannotRun ?? job.when ?? job.schedule.join(', ')}
      </span>
      <span class="job-next">
        {job.next === null ? <span class="muted">–</span> : <Relative at={job.next} />}
      </span>
      <span class="job-last">
        {lastRun === null ? (
          <span class="muted">–</span>
        ) : (
          <Link href={runHref(lastRun.run)} class="quiet">
            <Mark look={OUTCOME_LOOKS[lastRun.outcome]} />
          </Link>
        )}
      </span>
      <span class="muted clip job-last-at">
        {lastRun && <Moment at={lastRun.due} zone={job.timezone} />}
        {typeof lastRun?.durationMs === 'number' && ` · ${durationText(lastRun.durationMs)}`}
      </span>
    </div>
  );
}

function NoJobs({ filtered }: { filtered: boolean }) {
  if (filtered)
    return (
      <Empty icon="search">
        No job matches. <Link href="/jobs">Show all</Link>
      </Empty>
    );
  return (
    <Empty icon="list">
      <p>No jobs yet. The two lines that make the first one:</p>
      <pre class="code" tabIndex={0} aria-label="Commands">
        {
          'printf \'jobs: { hello: { schedule: "@every 10s", command: "date" } }\' > jobs.yaml\netcron apply -f jobs.yaml'
        }
      </pre>
    </Empty>
  );
}
