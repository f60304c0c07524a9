import { useEffect, useRef, useState } from 'preact/hooks';
import { Link, Route, Switch, useLocation } from 'wouter-preact';
import { zoneChoice } from '../format/time.js';
import { connection, staleSinceMs } from '../live/connection.js';
import { sessionState } from '../live/session.js';
import { Audit } from '../pages/admin/audit.js';
import { Tokens } from '../pages/admin/tokens.js';
import { JobPage } from '../pages/job/job.js';
import { Jobs } from '../pages/jobs/jobs.js';
import { Limits } from '../pages/limits/limits.js';
import { Overview } from '../pages/overview/overview.js';
import { RunPage } from '../pages/run/run.js';
import { Runs } from '../pages/runs/runs.js';
import { Workers } from '../pages/workers/workers.js';
import { useKeys } from '../ui/keys.js';
import { Empty, Problem, Skeleton } from '../ui/states.js';
import { theme, themeChoice } from '../ui/theme.js';
import { say, Toasts } from '../ui/toast.js';
import { ConnectionBanner } from './connection-banner.js';
import { FindJob } from './find-job.js';
import { Header } from './header.js';
import { Help } from './help.js';
import { LogIn } from './log-in.js';

export function App() {
  const state = sessionState.value;
  if (state.kind === 'none') return <LogIn expired={state.expired} />;
  if (state.kind === 'unknown')
    return (
      <main class="page" id="main">
        {state.problem ? <Problem problem={state.problem} /> : <Skeleton rows={8} />}
      </main>
    );
  return <Pages />;
}

function Pages() {
  const [location, navigate] = useLocation();
  const [open, setOpen] = useState<'find' | 'help' | null>(null);
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);

  // A new page begins at its top, and its content is where reading goes on.
  useEffect(() => {
    if (isFirst.current) {
      isFirst.current = false;
      return;
    }
    window.scrollTo(0, 0);
    main.current?.focus({ preventScroll: true });
  }, [location]);

  useKeys({
    '/': () => setOpen('find'),
    '?': () => setOpen('help'),
    'g o': () => navigate('/'),
    'g j': () => navigate('/jobs'),
    'g r': () => navigate('/runs'),
    'g w': () => navigate('/workers'),
    'g l': () => navigate('/limits'),
    'g a': () => navigate('/audit'),
    t: () => (themeChoice.value = theme.value === 'dark' ? 'light' : 'dark'),
    z: () => {
      zoneChoice.value = zoneChoice.value === 'local' ? 'utc' : zoneChoice.value === 'utc' ? 'job' : 'local';
      const names = { local: 'your zone', utc: 'UTC', job: 'the zone of each job' };
      say(`Times are in ${names[zoneChoice.value]}.`);
    },
  });
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Header onFind={() => setOpen('find')} onHelp={() => setOpen('help')} />
      <ConnectionBanner />
      <main
        ref={main}
        id="main"
        class={`page ${connection.value === 'lost' || staleSinceMs.value !== null ? 'is-stale' : ''}`}
        tabIndex={-1}
      >
        <Switch>
          <Route path="/">
            <Overview />
          </Route>
          <Route path="/jobs">
            <Jobs />
          </Route>
          <Route path="/jobs/:name">{({ name }) => <JobPage key={name} name={name} />}</Route>
          <Route path="/runs">
            <Runs />
          </Route>
          <Route path="/runs/:job/:due">
            {({ job, due }) => <RunPage key={`${job}/${due}`} job={job} due={due} />}
          </Route>
          <Route path="/workers">
            <Workers />
          </Route>
          <Route path="/limits">
            <Limits />
          </Route>
          <Route path="/audit">
            <Audit />
          </Route>
          <Route path="/tokens">
            <Tokens />
          </Route>
          <Route>
            <Empty icon="search">
              <p>There is no such page.</p>
              <p>
                <Link href="/">Overview</Link>
              </p>
            </Empty>
          </Route>
        </Switch>
      </main>
      <Toasts />
      {open === 'find' && <FindJob onClose={() => setOpen(null)} />}
      {open === 'help' && <Help onClose={() => setOpen(null)} />}
    </>
  );
}
