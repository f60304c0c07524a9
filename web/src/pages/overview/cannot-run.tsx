/** What can never run as things are, and why: each such job with its reason, and where the cause is mended. */
import { useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import type { Cluster } from '../../api/types.js';
import { jobHref, jobsHref } from '../../format/links.js';
import { countText } from '../../format/words.js';
import { Mark, type Look } from '../../ui/outcome.js';
import { Panel } from '../../ui/panel.js';

/** Shown before somebody asks for more. */
const FEW = 6;

const CANNOT_RUN: Look = { tone: 'failed', icon: 'ban', word: 'can’t run' };
const BROKEN: Look = { tone: 'failed', icon: 'warning', word: 'broken' };

/** All of them, each with its reason. */
export const STUCK_JOBS = jobsHref({ state: 'cannot-run,broken' });

export function stuckCount({ jobs }: Cluster): number {
  return jobs.cannotRun + jobs.broken;
}

export function CannotRun({ cluster }: { cluster: Cluster }) {
  const [isWhole, setWhole] = useState(false);
  const count = stuckCount(cluster);
  const lines = [
    ...cluster.cannotRun.map((job) => ({ ...job, look: CANNOT_RUN })),
    ...cluster.broken.map((job) => ({ ...job, look: BROKEN })),
  ];
  if (count === 0) return null;
  const shown = isWhole ? lines : lines.slice(0, FEW);
  return (
    <Panel
      title="Can’t run"
      class="problems"
      aside={
        <Link href={STUCK_JOBS}>
          {count === 1 ? 'In the list of jobs' : `All ${countText(count)} in the list of jobs`}
        </Link>
      }
    >
      <ul class="problem-lines">
        {shown.map(({ name, reason, look }) => (
          <li key={name} class="problem-line">
            <Mark look={look} />
            <Link href={jobHref(name)} class="mono clip" title={name}>
              {name}
            </Link>
            <span class="muted clip problem-text" title={reason}>
              {reason}
            </span>
            <span class="right problem-at">
              <Cause look={look} name={name} reason={reason} />
            </span>
          </li>
        ))}
      </ul>
      {(shown.length < lines.length || lines.length < count) && (
        <p class="problem-more">
          {shown.length < lines.length ? (
            <button type="button" class="link" onClick={() => setWhole(true)}>
              Show {countText(lines.length - shown.length)} more
            </button>
          ) : (
            <Link href={STUCK_JOBS}>and {countText(count - lines.length)} more in the list of jobs</Link>
          )}
        </p>
      )}
    </Panel>
  );
}

/** Where what keeps it from running can be changed. */
function Cause({ look, name, reason }: { look: Look; name: string; reason: string }) {
  if (look === BROKEN) return <Link href={jobHref(name)}>Definition</Link>;
  if (/^the limit /.test(reason)) return <Link href="/limits">Limits</Link>;
  return <Link href="/workers">Workers</Link>;
}
