/** Runs of all jobs, newest first; or those under way, planned or late. */
import { useEffect, useState } from 'preact/hooks';
import { Link, useLocation, useSearch } from 'wouter-preact';
import type { Run, RunList } from '../../api/types.js';
import { jobHref, runsHref } from '../../format/links.js';
import { momentText, shownZone } from '../../format/time.js';
import { now } from '../../live/now.js';
import { usePagedList, type Answer } from '../../live/pages.js';
import { topics } from '../../live/resource.js';
import { useTitle } from '../../shell/title.js';
import { Panel } from '../../ui/panel.js';
import { RunRow } from '../../ui/run-rows.js';
import { Empty, Problem, Skeleton } from '../../ui/states.js';
import { useNarrow, VirtualList } from '../../ui/virtual-list.js';
import { Choices } from '../jobs/jobs.js';

const FAILURES = 'failed,timed_out,killed,lost,missed';

/** A filter is a state and outcomes. */
const FILTERS: readonly (readonly [string, string])[] = [
  ['', 'Ended'],
  [`ended ${FAILURES}`, 'Failed'],
  ['ended succeeded', 'Ok'],
  ['ended skipped,cancelled', 'Skipped'],
  ['running ', 'Running'],
  ['late ', 'Late'],
  ['planned ', 'Planned'],
];

const PAGE_SIZE = 200;
const ROW_HEIGHT = 40;
const NARROW_ROW_HEIGHT = 68;
const TYPING_PAUSE_MS = 250;

function read(body: unknown): Answer<Run> {
  const { runs, next, complete } = body as RunList;
  return { items: runs, next, total: null, complete };
}

export function Runs() {
  useTitle('Runs');
  const [, navigate] = useLocation();
  const params = new URLSearchParams(useSearch());
  const value = (name: string): string => params.get(name) ?? '';
  const [job, q, outcome, state, worker, from, to] = [
    ...['job', 'q', 'outcome', 'state', 'worker', 'from', 'to'].map(value),
  ] as [string, string, string, string, string, string, string];
  const [text, setText] = useState(q);
  const narrow = useNarrow();
  const show = (changed: Record<string, string>): void =>
    navigate(runsHref({ job, q, outcome, state, worker, from, to, ...changed }), { replace: true });
  useEffect(() => {
    if (text.trim() === q) return;
    const timer = window.setTimeout(() => show({ q: text.trim() }), TYPING_PAUSE_MS);
    return () => window.clearTimeout(timer);
  }, [text]);

  const list = usePagedList<Run>({
    path: 'runs',
    values: { job, q, outcome, state, worker, from, to },
    pageSize: PAGE_SIZE,
    read,
    isAffected: topics('runs', 'firings'),
    growsAtTop: true,
  });
  const zone = shownZone();
  const chosen = state === '' && outcome === '' ? '' : `${state || 'ended'} ${outcome}`;
  return (
    <div class="stack">
      <h1>Runs</h1>
      <div class="filters">
        {job === '' ? (
          <input
            class="input filters-search"
            type="search"
            value={text}
            aria-label="Search runs by job"
            placeholder="Part of the name of a job"
            onInput={(event) => setText(event.currentTarget.value)}
          />
        ) : (
          <span class="chip">
            <Link href={jobHref(job)} class="mono clip">
              {job}
            </Link>
            <button type="button" aria-label="Runs of all jobs" onClick={() => show({ job: '' })}>
              ×
            </button>
          </span>
        )}
        <Choices
          label="Filter"
          choices={FILTERS}
          chosen={chosen}
          onChoose={(filter) => {
            const [wanted = '', outcomes = ''] = filter.split(' ');
            show({ state: outcomes === '' ? wanted : '', outcome: outcomes });
          }}
        />
        {worker !== '' && (
          <span class="chip">
            <span class="mono clip">{worker}</span>
            <button type="button" aria-label="Runs on all workers" onClick={() => show({ worker: '' })}>
              ×
            </button>
          </span>
        )}
        {(from !== '' || to !== '') && (
          <span class="chip">
            {from && momentText(Date.parse(from), zone, now.peek())} –{' '}
            {to && momentText(Date.parse(to), zone, now.peek())}
            <button type="button" aria-label="Runs of all times" onClick={() => show({ from: '', to: '' })}>
              ×
            </button>
          </span>
        )}
      </div>
      <Panel label="Runs" class="list-panel">
        {list.problem && list.loaded === 0 ? (
          <Problem problem={list.problem} retry={() => list.retry()} />
        ) : list.isFirstLoad ? (
          <Skeleton rows={10} />
        ) : list.count === 0 ? (
          <Empty icon="history">
            {chosen === '' && q === '' && job === '' ? 'Nothing has run yet.' : 'No run matches.'}{' '}
            {(chosen !== '' || q !== '' || job !== '') && <Link href="/runs">Show all</Link>}
          </Empty>
        ) : (
          <VirtualList
            count={list.count}
            rowHeight={narrow ? NARROW_ROW_HEIGHT : ROW_HEIGHT}
            label="Runs"
            onVisible={({ first, end }) => list.show(first, end)}
            row={(index) => {
              const run = list.item(index);
              return run === null ? (
                <div class="run-row is-loading" aria-label="Loading" />
              ) : (
                <RunRow run={run} named />
              );
            }}
          />
        )}
      </Panel>
      {!list.complete && (
        <p class="muted small">
          Older runs exist that are not searched here; the page of a job shows all of its own.
        </p>
      )}
    </div>
  );
}
