import type { ComponentChildren } from 'preact';
import { Link } from 'wouter-preact';
import type { Cluster, Timeline } from '../../api/types.js';
import { runsHref } from '../../format/links.js';
import { coarseText } from '../../format/time.js';
import { countText } from '../../format/words.js';
import { now } from '../../live/now.js';
import type { Tone } from '../../ui/outcome.js';
import { STUCK_JOBS, stuckCount } from './cannot-run.js';
import { FAILED_RUNS } from './problems.js';

/** The answers in numbers. A number has a colour only when somebody should look. */
export function Figures({ cluster, timeline }: { cluster: Cluster; timeline: Timeline | null }) {
  const { failedLately, late, firings, workers } = cluster;
  const lateCount = Math.max(firings.late, late.length);
  const stuck = stuckCount(cluster);
  const next = timeline?.coming.find(({ due, pause }) => pause === null && Date.parse(due) > now.value);
  return (
    <ul class="figures">
      <Figure
        tone={failedLately.count > 0 ? 'failed' : 'plain'}
        href={FAILED_RUNS}
        value={`${countText(failedLately.count)}${failedLately.complete ? '' : '+'}`}
        label={`failed in ${coarseText(now.value - Date.parse(failedLately.from))}`}
      />
      <Figure
        tone={lateCount > 0 ? 'late' : 'plain'}
        href={runsHref({ state: 'late' })}
        value={countText(lateCount)}
        label="late now"
      />
      <Figure
        tone={stuck > 0 ? 'failed' : 'plain'}
        href={STUCK_JOBS}
        value={countText(stuck)}
        label="can’t run"
      />
      <Figure
        tone="plain"
        href={runsHref({ state: 'running' })}
        value={countText(firings.inFlight)}
        label={`running, ${countText(firings.queued + firings.waiting)} waiting`}
      />
      <Figure
        tone={workers.active === 0 ? 'failed' : 'plain'}
        href="/workers"
        value={countText(workers.active)}
        label={workers.draining > 0 ? `workers, ${workers.draining} draining` : 'workers'}
      />
      <Figure
        tone="plain"
        href="/jobs"
        value={next ? coarseText(Date.parse(next.due) - now.value) : '–'}
        label={`to the next of ${countText(cluster.jobs.total)} jobs`}
      />
    </ul>
  );
}

function Figure({
  tone,
  href,
  value,
  label,
}: {
  tone: Tone;
  href: string;
  value: ComponentChildren;
  label: string;
}) {
  return (
    <li class={`figure tone-${tone}`}>
      <Link href={href}>
        <span class="figure-value">{value}</span>
        <span class="figure-label">{label}</span>
      </Link>
    </li>
  );
}
