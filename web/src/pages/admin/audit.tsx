/** Who changed what, and from what to what; newest first. */
import { useEffect, useState } from 'preact/hooks';
import { useLocation, useSearch } from 'wouter-preact';
import { query, request } from '../../api/client.js';
import type { ApiProblem } from '../../api/problem.js';
import { asProblem } from '../../api/problem.js';
import type { AuditList, AuditRecord } from '../../api/types.js';
import { plural } from '../../format/words.js';
import { may } from '../../live/session.js';
import { useTitle } from '../../shell/title.js';
import { Icon } from '../../ui/icon.js';
import { Moment } from '../../ui/moment.js';
import { Panel } from '../../ui/panel.js';
import { Empty, Problem, Skeleton } from '../../ui/states.js';

const PAGE_SIZE = 100;
const EXPORTS = [
  ['ndjson', 'JSON lines'],
  ['csv', 'CSV'],
] as const;
const TYPING_PAUSE_MS = 250;

export function Audit() {
  useTitle('Audit');
  const [, navigate] = useLocation();
  const key = new URLSearchParams(useSearch()).get('key') ?? '';
  const [text, setText] = useState(key);
  const [records, setRecords] = useState<readonly AuditRecord[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);

  const load = async (cursor: string | null, signal?: AbortSignal): Promise<void> => {
    try {
      const list = await request<AuditList>(`audit${query({ key, limit: PAGE_SIZE, cursor })}`, {
        ...(signal && { signal }),
      });
      setRecords((before) => (cursor === null ? list.records : [...(before ?? []), ...list.records]));
      setNext(list.next);
      setProblem(null);
    } catch (error) {
      if (!signal?.aborted) setProblem(asProblem(error));
    }
  };
  useEffect(() => {
    const asking = new AbortController();
    void load(null, asking.signal);
    return () => asking.abort();
  }, [key]);
  useEffect(() => {
    if (text.trim() === key) return;
    const timer = window.setTimeout(
      () => navigate(`/audit${query({ key: text.trim() })}`, { replace: true }),
      TYPING_PAUSE_MS,
    );
    return () => window.clearTimeout(timer);
  }, [text]);

  return (
    <div class="stack">
      <h1>Audit</h1>
      <div class="filters">
        <input
          class="input filters-search"
          type="search"
          value={text}
          aria-label="Search changes"
          placeholder="Part of what was changed, such as the name of a job"
          onInput={(event) => setText(event.currentTarget.value)}
        />
        {may('operator') && (
          <span class="audit-export">
            <span class="muted">{key === '' ? 'Download' : 'Download what matches'}</span>
            {EXPORTS.map(([format, name]) => (
              <a
                key={format}
                class="button small"
                href={`/api/v1/audit/export${query({ format, key })}`}
                download
                aria-label={`Download as ${name}`}
              >
                <Icon name="download" /> {name}
              </a>
            ))}
          </span>
        )}
      </div>
      <Panel label="Changes">
        {problem ? (
          <Problem problem={problem} retry={() => load(null)} />
        ) : records === null ? (
          <Skeleton rows={8} />
        ) : records.length === 0 ? (
          <Empty icon="history">
            {key === '' ? 'Nobody has changed anything yet.' : 'No change matches.'}
          </Empty>
        ) : (
          <ol class="audit">
            {records.map((record) => (
              <li key={record.id}>
                <AuditRow record={record} />
              </li>
            ))}
          </ol>
        )}
      </Panel>
      {next !== null && (
        <button type="button" class="button" onClick={() => void load(next)}>
          Older
        </button>
      )}
    </div>
  );
}

function AuditRow({ record }: { record: AuditRecord }) {
  const { actor, changes } = record;
  return (
    <details class="audit-record">
      <summary>
        <span class="muted">
          <Moment at={record.at} />
        </span>
        <span class="strong clip">{actor.name}</span>
        <span class="clip">
          {changes.length === 1 ? (
            <span class="mono">{describe(changes[0]!)}</span>
          ) : (
            plural(changes.length, 'change')
          )}
        </span>
        <span class="muted small">
          {actor.role}, {actor.via}
        </span>
      </summary>
      {changes.map((change) => (
        <div class="audit-change" key={change.key}>
          {changes.length > 1 && <p class="mono">{describe(change)}</p>}
          {change.before !== null && (
            <pre class="code diff-before" tabIndex={0} aria-label={`Before: ${change.key}`}>
              {pretty(change.before)}
            </pre>
          )}
          {change.after !== null && (
            <pre class="code diff-after" tabIndex={0} aria-label={`After: ${change.key}`}>
              {pretty(change.after)}
            </pre>
          )}
        </div>
      ))}
    </details>
  );
}

function describe({ key, before, after }: AuditRecord['changes'][number]): string {
  if (before === null) return `+ ${key}`;
  return after === null ? `− ${key}` : `± ${key}`;
}

/** JSON in lines; anything else as it is. */
function pretty(value: string): string {
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}
