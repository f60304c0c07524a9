/**
 * Edits one definition. While somebody types, the server says what is wrong with it, when it would be due, and what
 * would change; saving compares the revision, so that nobody's change is overwritten unseen.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { path, request } from '../../api/client.js';
import { asProblem, type ApiProblem } from '../../api/problem.js';
import type { DefinitionProblem, JobDiff, SavedJob, Validation } from '../../api/types.js';
import { plural } from '../../format/words.js';
import { Icon } from '../../ui/icon.js';
import { Problem } from '../../ui/states.js';

const TYPING_PAUSE_MS = 350;
const DUE_TIMES = 3;

interface Check {
  readonly validation: Validation;
  readonly diff: JobDiff | null;
}

export function DefinitionEditor({
  name,
  text: initial,
  revision,
  onSaved,
  onCancel,
}: {
  /** Null while the new job has none. */
  name: string | null;
  text: string;
  /** Null for a job that must not exist yet. */
  revision: number | null;
  onSaved: (saved: SavedJob) => void;
  onCancel: () => void;
}) {
  const [text, setText] = useState(initial);
  const [check, setCheck] = useState<Check | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const checkName = name ?? 'new-job';

  useEffect(() => {
    const asking = new AbortController();
    const timer = window.setTimeout(() => {
      const body = { text, name: checkName };
      const validate = request<Validation>('validate', { method: 'POST', body, signal: asking.signal });
      const compare =
        revision === null
          ? Promise.resolve(null)
          : request<JobDiff>('diff', { method: 'POST', body, signal: asking.signal });
      Promise.all([validate, compare]).then(
        ([validation, diff]) => {
          setCheck({ validation, diff });
          setProblem(null);
        },
        (error: unknown) => {
          if (!asking.signal.aborted) setProblem(asProblem(error));
        },
      );
    }, TYPING_PAUSE_MS);
    return () => {
      window.clearTimeout(timer);
      asking.abort();
    };
  }, [text, checkName]);

  const save = async (): Promise<void> => {
    if (name === null) return;
    setBusy(true);
    setProblem(null);
    try {
      const saved = await request<SavedJob>(path('jobs', name), {
        method: 'PUT',
        body: text,
        contentType: 'application/yaml',
        headers: revision === null ? { 'if-none-match': '*' } : { 'if-match': `"${revision}"` },
      });
      onSaved(saved);
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  const goTo = ({ line, column }: DefinitionProblem): void => {
    if (line === null || !area.current) return;
    const lines = text.split('\n');
    const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    area.current.focus();
    area.current.setSelectionRange(before + (column ?? 1) - 1, before + (lines[line - 1]?.length ?? 0));
  };
  const isValid = check?.validation.ok === true;
  return (
    <form
      class="editor stack"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <div class="two">
        <label class="field">
          <span>Definition, YAML or JSON</span>
          <textarea
            ref={area}
            class="input editor-text"
            value={text}
            rows={Math.min(28, Math.max(12, text.split('\n').length + 1))}
            spellcheck={false}
            autocapitalize="off"
            autocomplete="off"
            wrap="off"
            aria-describedby="editor-check"
            onInput={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => {
              if ((event.ctrlKey || event.metaKey) && event.key === 'Enter') void save();
            }}
          />
        </label>
        <div class="editor-check stack" id="editor-check" aria-live="polite">
          {check === null ? (
            <p class="muted">Checking …</p>
          ) : isValid ? (
            <Sound check={check} />
          ) : (
            <Findings problems={check.validation.problems} onGo={goTo} />
          )}
        </div>
      </div>
      {problem && <Problem problem={problem} />}
      {problem?.status === 412 || problem?.status === 409 ? (
        <p class="muted">
          Somebody else changed this job meanwhile. Copy your text, close this, and edit what stands there
          now.
        </p>
      ) : null}
      <div class="dialog-actions">
        <button type="button" class="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" class="button primary" disabled={!isValid || isBusy || name === null}>
          {isBusy ? 'Saving …' : 'Save'}
        </button>
      </div>
    </form>
  );
}

function Findings({
  problems,
  onGo,
}: {
  problems: readonly DefinitionProblem[];
  onGo: (problem: DefinitionProblem) => void;
}) {
  return (
    <>
      <h3 class="mark tone-failed">
        <Icon name="cross" /> {plural(problems.length, 'problem')}
      </h3>
      <ul class="findings">
        {problems.map((problem, index) => (
          <li key={index}>
            {problem.line !== null && (
              <button type="button" class="link" onClick={() => onGo(problem)}>
                line {problem.line}
              </button>
            )}{' '}
            {problem.path !== '' && <code>{problem.path}</code>} {problem.message}
            {problem.hint !== null && <span class="muted"> {problem.hint}</span>}
          </li>
        ))}
      </ul>
    </>
  );
}

/** What a sound definition means: when it is due, who can run it, what changes. */
function Sound({ check: { validation, diff } }: { check: Check }) {
  const job = validation.jobs[0];
  const change = diff?.changes.find(({ kind }) => kind !== 'delete');
  return (
    <>
      <h3 class="mark tone-ok">
        <Icon name="check" /> valid
      </h3>
      {job && (
        <div>
          <p>{job.when}</p>
          <ul class="muted">
            {job.dueTimes.slice(0, DUE_TIMES).map(({ due, local, note }) => (
              <li key={due}>
                <span class="mono small">{local}</span> {note}
              </li>
            ))}
          </ul>
        </div>
      )}
      {job && job.cannotRun !== null && (
        <p class="mark tone-failed">
          <Icon name="ban" /> {job.cannotRun}
        </p>
      )}
      {validation.warnings.map((warning) => (
        <p key={warning} class="mark tone-late">
          <Icon name="warning" /> {warning}
        </p>
      ))}
      {change && (
        <div>
          <h3>{change.kind === 'unchanged' ? 'Nothing changes' : 'What changes'}</h3>
          <Fields fields={change.fields} />
        </div>
      )}
    </>
  );
}

function Fields({ fields }: { fields: JobDiff['changes'][number]['fields'] }) {
  if (fields.length === 0) return null;
  return (
    <ul class="diff">
      {fields.map(({ path: field, before, after }) => (
        <li key={field}>
          <code class="diff-path">{field}</code>
          {before !== undefined && (
            <code class="diff-before">
              <span class="visually-hidden">before: </span>− {valueText(before)}
            </code>
          )}
          {after !== undefined && (
            <code class="diff-after">
              <span class="visually-hidden">after: </span>+ {valueText(after)}
            </code>
          )}
        </li>
      ))}
    </ul>
  );
}

function valueText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
