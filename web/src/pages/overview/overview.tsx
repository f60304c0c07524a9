/** The station: is the cluster well, what went wrong, what is running, what comes next. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import type { Stats, Timeline, WorkerList } from '../../api/types.js';
import { topics, useResource } from '../../live/resource.js';
import { useTitle } from '../../shell/title.js';
import { useCluster } from '../../shell/header.js';
import { Panel } from '../../ui/panel.js';
import { Loaded, Skeleton } from '../../ui/states.js';
import { Arrivals, Departures } from './boards.js';
import { CannotRun } from './cannot-run.js';
import { Figures } from './figures.js';
import { Problems } from './problems.js';
import { TimeLine } from './time-line.js';
import { WorkerStrip } from './worker-strip.js';

export function Overview() {
  const cluster = useCluster();
  const timeline = useResource<Timeline>('cluster/timeline', {
    isAffected: topics('firings', 'runs', 'jobs'),
    everyMs: 1_500,
    refreshMs: 10_000,
  });
  const workers = useResource<WorkerList>('workers', {
    isAffected: topics('workers', 'leader', 'firings'),
    everyMs: 1_500,
  });
  const stats = useResource<Stats>('cluster/stats', {
    isAffected: topics('runs'),
    everyMs: 5_000,
    refreshMs: 30_000,
  });
  useTitle(cluster.data && !cluster.data.healthy ? '⚠ Overview' : 'Overview');
  return (
    <div class="stack">
      <h1 class="visually-hidden">Overview</h1>
      <Loaded state={cluster} rows={2}>
        {(data) => (
          <>
            <Figures cluster={data} timeline={timeline.data} />
            {data.jobs.total === 0 && <FirstJob />}
            <Problems cluster={data} />
            <CannotRun cluster={data} />
          </>
        )}
      </Loaded>
      {/* The station board is dark whatever the theme, like those in stations. */}
      <section class="station" data-theme="dark" aria-label="Station board">
        <Loaded state={timeline} rows={14}>
          {(data) => (
            <>
              <TimeLine timeline={data} />
              <div class="station-boards">
                <Departures timeline={data} late={cluster.data?.late ?? []} />
                <Arrivals timeline={data} />
              </div>
            </>
          )}
        </Loaded>
      </section>
      <Loaded state={workers}>{(list) => <WorkerStrip list={list} />}</Loaded>
      <Loaded state={stats}>{(data) => <LaterCharts stats={data} />}</Loaded>
    </div>
  );
}

/** The two lines that make a first job. */
function FirstJob() {
  return (
    <Panel title="No jobs yet">
      <div class="panel-text stack">
        <p>
          Make one on the <Link href="/jobs?new">page of jobs</Link>, or with two lines on the command line:
        </p>
        <pre class="code" tabIndex={0} aria-label="Commands">
          {
            'printf \'jobs: { hello: { schedule: "@every 10s", command: "date" } }\' > jobs.yaml\netcron apply -f jobs.yaml'
          }
        </pre>
      </div>
    </Panel>
  );
}

/** The drawing library is not part of the first view. */
function LaterCharts({ stats }: { stats: Stats }) {
  const [Charts, setCharts] = useState<ComponentType<{ stats: Stats }> | null>(null);
  useEffect(() => {
    void import('./charts.js').then((module) => setCharts(() => module.default));
  }, []);
  return Charts ? <Charts stats={stats} /> : <Skeleton rows={4} />;
}
