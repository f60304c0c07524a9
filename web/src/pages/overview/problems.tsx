/** What somebody should look at, worst first; nothing at all when there is nothing. */
import type { ComponentChildren } from 'preact';
import { Link } from 'wouter-preact';
import type { Cluster, Run } from '../../api/types.js';
import { jobHref, jobsHref, runHref, runsHref } from '../../format/links.js';
import { coarseText } from '../../format/time.js';
import { now } from '../../live/now.js';
import { Moment } from '../../ui/moment.js';
import { Icon } from '../../ui/icon.js';
import { lookOf, Mark } from '../../ui/outcome.js';
import { Panel } from '../../ui/panel.js';
import { endText } from './boards.js';

const MAX_ROWS = 4;

export function Problems({ cluster }: { cluster: Cluster }) {
  const { problems, failedLately, late, cannotRun, broken } = cluster;
  const rows = failedLately.count + late.length + cannotRun.length + broken.length;
  if (problems.length === 0 && rows === 0) return null;
  return (
    <Panel title="Needs a look" class="problems">
      {problems.length > 0 && (
        <ul class="problem-lines">
          {problems.map((problem) => (
            <li key={problem}>
              <Icon name="warning" /> <span>{problem}</span>
            </li>
          ))}
        </ul>
      )}
      <div class="problem-groups">
        <Group
          title="Failed"
          count={failedLately.count}
          shown={Math.min(MAX_ROWS, failedLately.runs.length)}
          href={runsHref({ outcome: 'failed,timed_out,killed,lost,missed' })}
        >
          {failedLately.runs.slice(0, MAX_ROWS).map((run) => (
            <RunLine key={run.run} run={run} text={run.reason ?? endText(run)} />
          ))}
        </Group>
        <Group
          title="Late now"
          count={late.length}
          shown={Math.min(MAX_ROWS, late.length)}
          href={runsHref({ state: 'late' })}
        >
          {late.slice(0, MAX_ROWS).map((run) => (
            <RunLine
              key={run.run}
              run={run}
              text={`${coarseText(now.value - Date.parse(run.due))}: ${run.why ?? 'nobody has claimed it'}`}
            />
          ))}
        </Group>
        <Group
          title="Can’t run"
          count={cannotRun.length}
          shown={Math.min(MAX_ROWS, cannotRun.length)}
          href={jobsHref({ state: 'cannot-run' })}
        >
          {cannotRun.slice(0, MAX_ROWS).map((job) => (
            <JobLine key={job.name} {...job} />
          ))}
        </Group>
        <Group
          title="Broken definitions"
          count={broken.length}
          shown={Math.min(MAX_ROWS, broken.length)}
          href={jobsHref({ state: 'broken' })}
        >
          {broken.slice(0, MAX_ROWS).map((job) => (
            <JobLine key={job.name} {...job} />
          ))}
        </Group>
      </div>
    </Panel>
  );
}

function Group({
  title,
  count,
  shown,
  href,
  children,
}: {
  title: string;
  count: number;
  shown: number;
  href: string;
  children: ComponentChildren;
}) {
  if (count === 0) return null;
  return (
    <div class="problem-group">
      <h3>
        {title} <span class="muted">{count}</span>
      </h3>
      <ul>{children}</ul>
      {count > shown && <Link href={href}>All {count}</Link>}
    </div>
  );
}

function RunLine({ run, text }: { run: Run; text: string }) {
  return (
    <li class="problem-row">
      <Mark look={lookOf(run)} short />
      <div class="problem-what">
        <Link href={runHref(run.run)} class="mono clip">
          {run.job}
        </Link>
        <span class="muted clip" title={text}>
          {text}
        </span>
      </div>
      <span class="muted">
        <Moment at={run.due} />
      </span>
    </li>
  );
}

function JobLine({ name, reason }: { name: string; reason: string }) {
  return (
    <li class="problem-row">
      <span class="mark tone-failed">
        <Icon name="ban" />
      </span>
      <div class="problem-what">
        <Link href={jobHref(name)} class="mono clip">
          {name}
        </Link>
        <span class="muted clip" title={reason}>
          {reason}
        </span>
      </div>
    </li>
  );
}
