/** What stands where data would: nothing yet, nothing at all, or a problem. */
import type { ComponentChildren } from 'preact';
import type { ApiProblem } from '../api/problem.js';
import { Icon, type IconName } from './icon.js';

/** Grey bars, invisible for the first 300 ms. */
export function Skeleton({ rows = 3 }: { rows?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}

export function Empty({ icon, children }: { icon?: IconName; children: ComponentChildren }) {
  return (
    <div class="empty">
      {icon && <Icon name={icon} />}
      <div>{children}</div>
    </div>
  );
}

/** What went wrong, and what to do. */
export function Problem({ problem, retry }: { problem: ApiProblem; retry?: () => unknown }) {
  const { status } = problem;
  const title =
    status === 403
      ? 'Not permitted'
      : status === 404
        ? 'Not found'
        : status === 0
          ? 'No answer'
          : problem.title || 'It did not work';
  return (
    <div class="notice tone-failed" role="alert">
      <Icon name={status === 403 ? 'ban' : 'warning'} />
      <div>
        <p class="strong">{title.slice(0, 1).toUpperCase() + title.slice(1)}</p>
        <p class="notice-text">{problem.message}</p>
        {problem.hint !== null && <p class="muted">{problem.hint}</p>}
        <p class="muted small mono">{problem.code}</p>
        {retry && (
          <p>
            <button type="button" class="button small" onClick={() => void retry()}>
              Try again
            </button>
          </p>
        )}
      </div>
    </div>
  );
}

/** The first of these that applies: data, a problem, the skeleton. */
export function Loaded<T>({
  state,
  rows = 3,
  children,
}: {
  state: { data: T | null; problem: ApiProblem | null; reload: () => unknown };
  rows?: number;
  children: (data: T) => ComponentChildren;
}) {
  if (state.data !== null) return <>{children(state.data)}</>;
  if (state.problem !== null) return <Problem problem={state.problem} retry={state.reload} />;
  return <Skeleton rows={rows} />;
}
