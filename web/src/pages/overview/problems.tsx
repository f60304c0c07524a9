/** What somebody should look at, a line each, worst first; nothing at all when there is nothing. */
import { Link } from 'wouter-preact';
import type { Cluster, Run } from '../../api/types.js';
import { runHref, runsHref } from '../../format/links.js';
import { coarseText } from '../../format/time.js';
import { now } from '../../live/now.js';
import { Icon } from '../../ui/icon.js';
import { Moment } from '../../ui/moment.js';
import { lookOf, Mark, type Look } from '../../ui/outcome.js';
import { Panel } from '../../ui/panel.js';
import { endText } from './boards.js';

const MAX_LINES = 5;

const LATE: Look = { tone: 'late', icon: 'clock', word: 'late' };

interface Line {
  readonly key: string;
  readonly look: Look;
  readonly job: string;
  readonly href: string;
  readonly text: string;
  readonly at: string;
}

export const FAILED_RUNS = runsHref({ outcome: 'failed,timed_out,killed,lost,missed' });

export function Problems({ cluster }: { cluster: Cluster }) {
  const { failedLately, late, firings } = cluster;
  // Each of these has its line in the panel of what cannot run.
  const problems = cluster.problems.filter((problem) => !/^\d+ jobs? cannot run/.test(problem));
  const failures = byJob(failedLately.runs);
  const lines: Line[] = [
    ...late.map((run) => lateLine(run)),
    ...failures.map(([run, count]) => failedLine(run, count)),
  ];
  if (problems.length + lines.length === 0) return null;
  return (
    <Panel
      title="Needs a look"
      class="problems"
      aside={
        <span class="problem-links">
          {failedLately.count > 0 && <Link href={FAILED_RUNS}>{failedLately.count} failed</Link>}
          {late.length > 0 && (
            <Link href={runsHref({ state: 'late' })}>{Math.max(late.length, firings.late)} late</Link>
          )}
        </span>
      }
    >
      <ul class="problem-lines">
        {problems.map((problem) => (
          <li key={problem} class="problem-line is-cluster">
            <span class="mark tone-late">
              <Icon name="warning" />
            </span>
            <span class="lines-3">{problem}</span>
          </li>
        ))}
        {fairly(lines).map((line) => (
          <li key={line.key} class="problem-line">
            <Mark look={line.look} />
            <Link href={line.href} class="mono clip" title={line.job}>
              {line.job}
            </Link>
            <span class="muted clip problem-text" title={line.text}>
              {line.text}
            </span>
            <span class="muted right problem-at">
              <Moment at={line.at} />
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

/** Of each kind some, where not all have room: one job that fails each minute must not hide what is late. */
function fairly(lines: readonly Line[]): Line[] {
  if (lines.length <= MAX_LINES) return [...lines];
  const chosen = new Set<Line>();
  for (let round = 0; chosen.size < MAX_LINES; round += 1) {
    const words = [...new Set(lines.map(({ look }) => look.word))];
    for (const word of words) {
      const line = lines.filter(({ look }) => look.word === word)[round];
      if (line && chosen.size < MAX_LINES) chosen.add(line);
    }
  }
  return lines.filter((line) => chosen.has(line));
}

/** The newest of each job, and how many there are of it. */
function byJob(runs: readonly Run[]): [Run, number][] {
  const found = new Map<string, [Run, number]>();
  for (const run of runs) {
    const known = found.get(run.job);
    if (known) known[1] += 1;
    else found.set(run.job, [run, 1]);
  }
  return [...found.values()];
}

function failedLine(run: Run, count: number): Line {
  const text = run.reason ?? endText(run);
  return {
    key: run.run,
    look: lookOf(run),
    job: run.job,
    href: runHref(run.run),
    text: count > 1 ? `${count} times; ${text}` : text,
    at: run.due,
  };
}

function lateLine(run: Run): Line {
  const since = coarseText(now.value - Date.parse(run.due));
  return {
    key: run.run,
    look: LATE,
    job: run.job,
    href: runHref(run.run),
    text: `by ${since}: ${run.why ?? 'nobody has claimed it'}`,
    at: run.due,
  };
}
