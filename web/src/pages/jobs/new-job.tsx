import { useState } from 'preact/hooks';
import { useLocation } from 'wouter-preact';
import { jobHref } from '../../format/links.js';
import { Dialog } from '../../ui/dialog.js';
import { say } from '../../ui/toast.js';
import { DefinitionEditor } from '../job/definition-editor.js';

const EXAMPLE = `schedule: '*/5 * * * *'
command: echo hello
`;
const NAME_PATTERN = '[A-Za-z0-9][A-Za-z0-9._\\-]{0,127}';

export function NewJobDialog({ onClose }: { onClose: () => void }) {
  const [, navigate] = useLocation();
  const [name, setName] = useState('');
  const isName = new RegExp(`^${NAME_PATTERN}$`).test(name);
  return (
    <Dialog title="New job" onClose={onClose} wide>
      <div class="stack">
        <label class="field">
          <span>Name</span>
          <input
            class="input mono"
            value={name}
            maxLength={128}
            pattern={NAME_PATTERN}
            spellcheck={false}
            autocapitalize="off"
            placeholder="such as backup-db"
            onInput={(event) => setName(event.currentTarget.value.trim())}
          />
          <span class="muted small">
            Letters, digits, dots, dashes and underscores; it cannot be changed later.
          </span>
        </label>
        <DefinitionEditor
          name={isName ? name : null}
          text={EXAMPLE}
          revision={null}
          onCancel={onClose}
          onSaved={() => {
            say(`${name} is saved.`);
            navigate(jobHref(name));
          }}
        />
      </div>
    </Dialog>
  );
}
