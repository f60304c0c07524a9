/** The limits that jobs share: how large they are, who runs under them, and who waits. */
import { useState } from 'preact/hooks';
import { Link } from 'wouter-preact';
import { path, request } from '../../api/client.js';
import type { Limit, LimitList } from '../../api/types.js';
import { jobHref, runHref } from '../../format/links.js';
import { countText, plural } from '../../format/words.js';
import { topics, useResource } from '../../live/resource.js';
import { may } from '../../live/session.js';
import { useTitle } from '../../shell/title.js';
import { ActionDialog } from '../../ui/dialog.js';
import { Icon } from '../../ui/icon.js';
import { LoadBar } from '../../ui/load-bar.js';
import { Badge } from '../../ui/outcome.js';
import { Panel } from '../../ui/panel.js';
import { Empty, Loaded, Problem } from '../../ui/states.js';
import { say } from '../../ui/toast.js';

const NAMED_JOBS = 3;
/** Runs in one list; the others are counted. */
const SHOWN_RUNS = 50;
const FEW_RUNS = 8;
const MAX_SIZE = 100_000;

type Action = { readonly kind: 'set' | 'delete'; readonly limit: Limit } | { readonly kind: 'new' };

export function Limits() {
  useTitle('Limits');
  const limits = useResource<LimitList>('limits', {
    isAffected: topics('firings', 'jobs'),
    everyMs: 1_500,
    refreshMs: 10_000,
  });
  const [action, setAction] = useState<Action | null>(null);
  return (
    <div class="stack">
      <div class="row spread">
        <h1>Limits</h1>
        {may('admin') && (
          <button type="button" class="button primary" onClick={() => setAction({ kind: 'new' })}>
            New limit
          </button>
        )}
      </div>
      <p class="muted">
        Jobs that name the same limit share it: so many of their runs are under way at once, the others wait.
      </p>
      <Panel label="Limits">
        <Loaded state={limits} rows={6}>
          {({ limits: list }) =>
            list.length === 0 ? (
              <Empty icon="list">
                <p>No job names a limit.</p>
                <p>
                  <code>limits: [database]</code> in a definition does.
                </p>
              </Empty>
            ) : (
              <ul class="plain-rows">
                {list.map((limit) => (
                  <li key={limit.name}>
                    <LimitRow limit={limit} onAction={setAction} />
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
        {limits.data && limits.problem && !limits.problem.isUnreachable && (
          <Problem problem={limits.problem} retry={limits.reload} />
        )}
      </Panel>
      {action !== null && (
        <LimitAction action={action} onClose={() => setAction(null)} onDone={() => void limits.reload()} />
      )}
    </div>
  );
}

function LimitRow({ limit, onAction }: { limit: Limit; onAction: (action: Action) => void }) {
  const { name, size, problem, held, waiting, waitingRuns, jobs } = limit;
  const isShut = size === null || size === 0;
  return (
    <article class="limit" aria-label={name}>
      <div class="limit-head">
        <h2 class="mono clip limit-name" title={name}>
          {name}
        </h2>
        <div class="limit-use">
          <span>
            {size === null ? (
              <Badge tone="failed" icon="ban">
                {problem === null ? 'no size' : 'damaged'}
              </Badge>
            ) : (
              <>
                <span class="strong">{countText(held.length)}</span> of {countText(size)} in use
              </>
            )}{' '}
            {waiting > 0 && (
              <Badge tone={isShut ? 'failed' : 'late'} icon="clock">
                {plural(waiting, 'run')} {waiting === 1 ? 'waits' : 'wait'}
              </Badge>
            )}
          </span>
          <LoadBar load={held.length} capacity={size ?? 0} label={`Use of ${name}`} />
        </div>
        {may('admin') && (
          <div class="limit-actions">
            <button type="button" class="button small" onClick={() => onAction({ kind: 'set', limit })}>
              {size === null ? 'Give it a size' : 'Change'}
            </button>
            {jobs.length === 0 && (
              <button
                type="button"
                class="button small danger-quiet"
                onClick={() => onAction({ kind: 'delete', limit })}
              >
                Delete
              </button>
            )}
          </div>
        )}
      </div>
      {isShut && jobs.length > 0 && (
        <p class="mark tone-failed">
          <Icon name="ban" />{' '}
          {problem ??
            `Nothing of ${plural(jobs.length, 'job')} runs ${size === 0 ? 'while it is 0' : 'until it has a size'}.`}
        </p>
      )}
      <p class="limit-jobs muted">
        {jobs.length === 0 ? 'No job names it.' : `${plural(jobs.length, 'job')}: `}
        {jobs.slice(0, NAMED_JOBS).map((job) => (
          <Link key={job} href={jobHref(job)} class="mono clip" title={job}>
            {job}
          </Link>
        ))}
        {jobs.length > NAMED_JOBS && ` and ${countText(jobs.length - NAMED_JOBS)} more`}
      </p>
      {held.length + waiting > 0 && <Who held={held} waitingRuns={waitingRuns} waiting={waiting} />}
    </article>
  );
}

/** Few are shown at once; many are drawn when somebody asks for them. */
function Who({ held, waitingRuns, waiting }: Pick<Limit, 'held' | 'waitingRuns' | 'waiting'>) {
  const [isOpen, setOpen] = useState(held.length + waiting <= FEW_RUNS);
  return (
    <details class="limit-who" open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Who runs and who waits</summary>
      {isOpen && (
        <div class="two">
          <RunList title="Under way" runs={held} count={held.length} />
          <RunList title="Waiting, in their turn" runs={waitingRuns} count={waiting} />
        </div>
      )}
    </details>
  );
}

function RunList({ title, runs, count }: { title: string; runs: readonly string[]; count: number }) {
  const shown = runs.slice(0, SHOWN_RUNS);
  return (
    <div class="limit-runs">
      <h3>{title}</h3>
      {count === 0 ? (
        <p class="muted">nobody</p>
      ) : (
        <ol>
          {shown.map((run) => (
            <li key={run}>
              <Link href={runHref(run)} class="mono clip" title={run}>
                {run}
              </Link>
            </li>
          ))}
          {count > shown.length && <li class="muted">and {countText(count - shown.length)} more</li>}
        </ol>
      )}
    </div>
  );
}

function LimitAction({
  action,
  onClose,
  onDone,
}: {
  action: Action;
  onClose: () => void;
  onDone: () => void;
}) {
  const known = action.kind === 'new' ? null : action.limit;
  const [name, setName] = useState(known?.name ?? '');
  const [size, setSize] = useState(String(known?.size ?? 1));
  if (action.kind === 'delete')
    return (
      <ActionDialog
        title="Delete a limit"
        action="Delete the limit"
        dangerous
        onClose={onClose}
        act={async () => {
          await request(path('limits', name), { method: 'DELETE' });
          say(`${name} is deleted.`);
          onDone();
        }}
      >
        <p>
          Deletes the limit <b class="mono">{name}</b>. No job names it.
        </p>
      </ActionDialog>
    );
  return (
    <ActionDialog
      title={known ? 'Change a limit' : 'New limit'}
      action="Save"
      onClose={onClose}
      act={async () => {
        await request(path('limits', name.trim()), { method: 'PUT', body: { size: Number(size) } });
        say(`${name.trim()} lets ${plural(Number(size), 'run')} through at once.`);
        onDone();
      }}
    >
      {known ? (
        <p>
          How many runs of the jobs under <b class="mono">{name}</b> may be under way at once.
        </p>
      ) : (
        <label class="field">
          <span>Name, as jobs name it</span>
          <input
            class="input mono"
            required
            maxLength={128}
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
      )}
      <label class="field">
        <span>Size</span>
        <input
          class="input"
          type="number"
          required
          min={0}
          max={MAX_SIZE}
          step={1}
          value={size}
          onInput={(event) => setSize(event.currentTarget.value)}
        />
      </label>
      {known && <p class="muted">{consequence(known, Number(size))}</p>}
    </ActionDialog>
  );
}

function consequence({ held, waiting }: Limit, size: number): string {
  const over = held.length - size;
  if (over > 0)
    return `${plural(held.length, 'run')} under way go on; nothing new starts until fewer than ${countText(size)} are left.${size === 0 ? ' With 0, nothing starts at all.' : ''}`;
  if (size === 0) return 'With 0, nothing starts under it.';
  const free = Math.min(waiting, size - held.length);
  return waiting === 0
    ? 'Nobody waits for it now.'
    : `${countText(free)} of ${plural(waiting, 'run')} that wait may start at once.`;
}
