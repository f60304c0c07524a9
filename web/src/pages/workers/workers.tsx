/** The workers as they come, work, drain and go. A worker that is gone stays for a minute, with what became of its runs. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { path, query, request } from '../../api/client.js';
import type { Worker, WorkerList } from '../../api/types.js';
import { runHref, runsHref } from '../../format/links.js';
import { clockText, coarseText, shownZone } from '../../format/time.js';
import { plural } from '../../format/words.js';
import { now, serverNow } from '../../live/now.js';
import { topics, useResource } from '../../live/resource.js';
import { may } from '../../live/session.js';
import { useTitle } from '../../shell/title.js';
import { ActionDialog } from '../../ui/dialog.js';
import { Icon } from '../../ui/icon.js';
import { LoadBar } from '../../ui/load-bar.js';
import { Moment } from '../../ui/moment.js';
import { Badge, lookOf, Mark } from '../../ui/outcome.js';
import { Panel } from '../../ui/panel.js';
import { Empty, Loaded } from '../../ui/states.js';
import { say } from '../../ui/toast.js';

type Action = { readonly kind: 'drain' | 'resume' | 'hand-over'; readonly worker: Worker };

interface Gone {
  readonly worker: Worker;
  readonly atMs: number;
}

interface Takeover {
  readonly name: string;
  readonly from: string | null;
  readonly atMs: number;
}

const GONE_SHOWN_MS = 60_000;
const MAX_RUNS = 6;

export function Workers() {
  useTitle('Workers');
  const list = useResource<WorkerList>('workers', {
    isAffected: topics('workers', 'leader', 'firings'),
    everyMs: 1_500,
  });
  const [action, setAction] = useState<Action | null>(null);
  const { gone, takeovers } = useChanges(list.data);
  return (
    <div class="stack">
      <h1>Workers {list.data && <span class="muted h1-count">{list.data.workers.length}</span>}</h1>
      {takeovers.map((takeover) => (
        <div key={takeover.atMs} class="notice tone-plain" role="status">
          <span class="star">
            <Icon name="star" />
          </span>
          <p>
            {clockText(takeover.atMs, shownZone())} <b class="mono">{takeover.name}</b> leads now
            {takeover.from === null ? (
              '.'
            ) : (
              <>
                , after <span class="mono">{takeover.from}</span>.
              </>
            )}
          </p>
        </div>
      ))}
      <Loaded state={list} rows={6}>
        {(data) => (
          <>
            {data.workers.length === 0 && (
              <Panel>
                <Empty icon="server">
                  <p>No worker is there: nothing runs until one comes.</p>
                  <pre class="code" tabIndex={0} aria-label="Commands">
                    etcron worker
                  </pre>
                </Empty>
              </Panel>
            )}
            <ul class="workers">
              {data.workers.map((worker) => (
                <li key={worker.node}>
                  <WorkerCard worker={worker} onAction={(kind) => setAction({ kind, worker })} />
                </li>
              ))}
              {gone.map(({ worker, atMs }) => (
                <li key={worker.node}>
                  <GoneCard worker={worker} atMs={atMs} />
                </li>
              ))}
            </ul>
            <AbsentDrains list={data} />
          </>
        )}
      </Loaded>
      {action && (
        <WorkerAction
          {...action}
          others={(list.data?.workers ?? []).filter(({ name }) => name !== action.worker.name)}
          onClose={() => setAction(null)}
          onDone={() => void list.reload()}
        />
      )}
    </div>
  );
}

/** What changed between two answers: workers that are gone, and a leader that is another. */
function useChanges(list: WorkerList | null): { gone: readonly Gone[]; takeovers: readonly Takeover[] } {
  const before = useRef<WorkerList | null>(null);
  const [gone, setGone] = useState<readonly Gone[]>([]);
  const [takeovers, setTakeovers] = useState<readonly Takeover[]>([]);
  const lastLeader = useRef<string | null>(null);
  useEffect(() => {
    if (list === null) return;
    const here = new Set(list.workers.map(({ node }) => node));
    const left = (before.current?.workers ?? []).filter(({ node }) => !here.has(node));
    if (left.length > 0) {
      const atMs = serverNow();
      setGone((all) => [...left.map((worker) => ({ worker, atMs })), ...all].slice(0, 12));
    }
    const leader = list.workers.find((worker) => worker.leader)?.name ?? null;
    if (leader !== null && before.current !== null && leader !== lastLeader.current) {
      const from = lastLeader.current;
      setTakeovers((all) => [{ name: leader, from, atMs: serverNow() }, ...all].slice(0, 3));
    }
    if (leader !== null) lastLeader.current = leader;
    before.current = list;
  }, [list]);
  const here = new Set(list?.workers.map(({ node }) => node));
  return {
    gone: gone.filter(({ worker, atMs }) => now.value - atMs < GONE_SHOWN_MS && !here.has(worker.node)),
    takeovers: takeovers.filter(({ atMs }) => now.value - atMs < GONE_SHOWN_MS * 5),
  };
}

function WorkerCard({ worker, onAction }: { worker: Worker; onAction: (kind: Action['kind']) => void }) {
  const isDraining = worker.drain !== null || worker.state === 'draining';
  return (
    <article class={`worker ${isDraining ? 'is-draining' : ''}`} aria-label={worker.name}>
      <header class="worker-head">
        <h2 class="mono clip" title={worker.name}>
          {worker.name}
        </h2>
        {worker.leader && (
          <span class="star" key="star">
            <Icon name="star" /> <span>leader</span>
          </span>
        )}
        {isDraining && <Badge tone="late">draining</Badge>}
        {worker.skewed && <Badge tone="failed">clock is off</Badge>}
      </header>
      <div class="worker-load">
        <LoadBar load={worker.load} capacity={worker.capacity} label={`Load of ${worker.name}`} />
        <span class="nowrap">
          {worker.load} of {worker.capacity}
        </span>
      </div>
      {worker.drain !== null && (
        <p class="small">
          {worker.drain.reason ?? 'Drained'}{' '}
          <span class="muted">
            {worker.drain.by ?? 'somebody'}, <Moment at={worker.drain.at} />
          </span>
        </p>
      )}
      {worker.runs.length > 0 && (
        <ul class="worker-runs">
          {worker.runs.slice(0, MAX_RUNS).map((run) => (
            <li key={run.run}>
              <Mark look={lookOf(run)} short />
              <Link href={runHref(run.run)} class="mono clip">
                {run.job}
              </Link>
              <span class="muted nowrap">{coarseText(now.value - Date.parse(run.startedAt ?? run.due))}</span>
            </li>
          ))}
          {worker.running > MAX_RUNS && (
            <li>
              <Link href={runsHref({ state: 'running', worker: worker.name })}>
                {worker.running - MAX_RUNS} more
              </Link>
            </li>
          )}
        </ul>
      )}
      <p class="worker-facts muted small">
        <span>
          {worker.host}, process {worker.pid}
        </span>
        <span>etcron {worker.version}</span>
        <span>since {coarseText(now.value - Date.parse(worker.since))}</span>
        {Object.entries(worker.labels).map(([label, value]) => (
          <Link key={label} href={`/jobs${query({ q: value })}`} class="label">
            {label}={value}
          </Link>
        ))}
        {worker.handlers.map((handler) => (
          <span key={handler} class="label">
            {handler}()
          </span>
        ))}
      </p>
      {may('operator') && (
        <div class="worker-actions">
          {worker.drain !== null ? (
            <button type="button" class="button small" onClick={() => onAction('resume')}>
              Resume
            </button>
          ) : (
            <button type="button" class="button small" onClick={() => onAction('drain')}>
              Drain
            </button>
          )}
          {worker.leader && (
            <button type="button" class="button small" onClick={() => onAction('hand-over')}>
              Hand over
            </button>
          )}
        </div>
      )}
    </article>
  );
}

function GoneCard({ worker, atMs }: Gone) {
  return (
    <article class="worker is-gone" aria-label={`${worker.name}, gone`}>
      <header class="worker-head">
        <h2 class="mono clip">{worker.name}</h2>
        <Badge tone="lost" icon="lost">
          gone {coarseText(now.value - atMs)} ago
        </Badge>
      </header>
      <p>
        {worker.runs.length === 0
          ? 'It had nothing to do.'
          : `It had ${plural(worker.runs.length, 'run')}: what is to be rerun starts on another worker.`}
      </p>
      {worker.runs.length > 0 && (
        <ul class="worker-runs">
          {worker.runs.slice(0, MAX_RUNS).map((run) => (
            <li key={run.run}>
              <Link href={runHref(run.run)} class="mono clip">
                {run.job}
              </Link>
            </li>
          ))}
        </ul>
      )}
    </article>
  );
}

/** Requests to drain for workers that are not there: they would drain as soon as they come. */
function AbsentDrains({ list }: { list: WorkerList }) {
  const here = new Set(list.workers.map(({ name }) => name));
  const absent = list.drains.filter(({ name }) => !here.has(name));
  const [busy, setBusy] = useState('');
  if (absent.length === 0) return null;
  return (
    <Panel title="To drain when they come">
      <ul class="plain-rows">
        {absent.map(({ name, reason, by, at }) => (
          <li key={name} class="row">
            <span class="mono">{name}</span>
            <span class="muted">
              {reason ?? 'no reason given'}, {by ?? 'somebody'}, <Moment at={at} />
            </span>
            {may('operator') && (
              <button
                type="button"
                class="button small"
                disabled={busy === name}
                onClick={() => {
                  setBusy(name);
                  void request(path('workers', name, 'resume'), { method: 'POST', body: {} }).finally(() =>
                    setBusy(''),
                  );
                }}
              >
                Forget
              </button>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function WorkerAction({
  kind,
  worker,
  others,
  onClose,
  onDone,
}: Action & { others: readonly Worker[]; onClose: () => void; onDone: () => void }) {
  const name = <b class="mono">{worker.name}</b>;
  const ready = others.filter((one) => one.state === 'active' && one.drain === null && !one.skewed);
  const free = ready.reduce((sum, one) => sum + Math.max(0, one.capacity - one.load), 0);
  if (kind === 'drain')
    return (
      <ActionDialog
        title="Drain"
        action="Drain"
        dangerous={ready.length === 0}
        reason={{ label: 'Why (others will see it)', placeholder: 'kernel update' }}
        onClose={onClose}
        act={async (reason) => {
          await request(path('workers', worker.name, 'drain'), {
            method: 'POST',
            body: reason ? { reason } : {},
          });
          say(`${worker.name} drains.`);
          onDone();
        }}
      >
        <p>
          {name} takes no more firings.{' '}
          {worker.running === 0
            ? 'It has none now.'
            : `Its ${plural(worker.running, 'run')} ${worker.running === 1 ? 'goes' : 'go'} on to the end.`}
        </p>
        <p>
          {ready.length === 0
            ? 'No other worker is active: nothing will run until one comes.'
            : `${plural(ready.length, 'other worker')} with room for ${free} more ${free === 1 ? 'takes' : 'take'} over.`}
          {worker.leader && ready.length > 0 && ' Another one leads then.'}
        </p>
      </ActionDialog>
    );
  if (kind === 'resume')
    return (
      <ActionDialog
        title="Resume"
        action="Resume"
        onClose={onClose}
        act={async () => {
          await request(path('workers', worker.name, 'resume'), { method: 'POST', body: {} });
          say(`${worker.name} takes firings again.`);
          onDone();
        }}
      >
        <p>
          {name} takes firings again, up to {worker.capacity} at a time.
        </p>
      </ActionDialog>
    );
  return (
    <ActionDialog
      title="Hand over"
      action="Hand over"
      onClose={onClose}
      act={async () => {
        await request('cluster/hand-over', { method: 'POST', body: {} });
        say('Another worker will lead.');
        onDone();
      }}
    >
      <p>
        {name} stops leading, and one of {plural(ready.length, 'other worker')} leads in its place. What is
        planned stays planned; nothing is late by it, and{' '}
        {worker.running === 1 ? 'its run goes' : `its ${worker.running} runs go`} on.
      </p>
    </ActionDialog>
  );
}
