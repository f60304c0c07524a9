import { Link } from 'wouter-preact';
import type { Run } from '../api/types.js';
import { runHref } from '../format/links.js';
import { durationText } from '../format/time.js';
import { Moment, Relative } from './moment.js';
import { lookOf, Mark } from './outcome.js';

/** One run in a list: when, how, why, how long, where. With `named`, of which job. */
export function RunRow({ run, zone, named = false }: { run: Run; zone?: string | null; named?: boolean }) {
  const why = run.why ?? run.reason ?? (run.exitCode ? `exit ${run.exitCode}` : '');
  const isComing = run.state === 'planned' || run.state === 'claimed';
  return (
    <div class={`run-row ${named ? 'is-named' : ''}`}>
      <span class="run-due">
        <Link href={runHref(run.run)}>
          <Moment at={run.due} {...(zone === undefined ? {} : { zone })} />
        </Link>
      </span>
      {named && (
        <Link href={runHref(run.run)} class="mono clip run-job" title={run.job}>
          {run.job}
        </Link>
      )}
      <span class="run-look">
        <Mark look={lookOf(run)} />
      </span>
      <span class="muted clip run-why" title={why}>
        {isComing ? <Relative at={run.due} /> : why}
        {run.manual && (why === '' ? 'run by hand' : ' · by hand')}
      </span>
      <span class="muted nowrap run-took">
        {run.durationMs === null ? '' : durationText(run.durationMs)}
        {run.attempts > 1 && ` · ×${run.attempts}`}
      </span>
      <span class="mono muted clip run-worker">{run.worker ?? ''}</span>
    </div>
  );
}
