/** Access tokens: who may come in, as what. A new one is shown once. */
import { useState } from 'preact/hooks';
import { path, request } from '../../api/client.js';
import { asProblem, type ApiProblem } from '../../api/problem.js';
import type { CreatedToken, Role, Token, TokenList } from '../../api/types.js';
import { useResource } from '../../live/resource.js';
import { may } from '../../live/session.js';
import { useTitle } from '../../shell/title.js';
import { ActionDialog, Dialog } from '../../ui/dialog.js';
import { Moment } from '../../ui/moment.js';
import { Panel } from '../../ui/panel.js';
import { Empty, Loaded, Problem } from '../../ui/states.js';
import { say } from '../../ui/toast.js';

const ROLES: readonly [Role, string][] = [
  ['viewer', 'viewer: reads'],
  ['operator', 'operator: also runs, kills, pauses, drains'],
  ['admin', 'admin: also changes jobs, limits, tokens'],
];

export function Tokens() {
  useTitle('Tokens');
  const list = useResource<TokenList>('tokens');
  const [isNew, setNew] = useState(false);
  const [revoking, setRevoking] = useState<Token | null>(null);
  return (
    <div class="stack">
      <div class="row spread">
        <h1>Tokens</h1>
        {may('admin') && (
          <button type="button" class="button primary" onClick={() => setNew(true)}>
            New token
          </button>
        )}
      </div>
      <Panel label="Tokens">
        <Loaded state={list}>
          {({ tokens }) =>
            tokens.length === 0 ? (
              <Empty icon="server">
                <p>No tokens: whoever reaches this worker’s loopback address is an admin.</p>
                <p>Before other machines may come in, make a first token for an admin.</p>
              </Empty>
            ) : (
              <ul class="plain-rows">
                {tokens.map((token) => (
                  <li key={token.id} class="token-row">
                    <span class="strong clip">{token.name}</span>
                    <span>{token.role}</span>
                    <span class="muted clip">
                      {token.createdBy ?? 'somebody'}, <Moment at={token.createdAt} />
                    </span>
                    <span class="muted">
                      {token.expires === null ? (
                        'does not expire'
                      ) : (
                        <>
                          until <Moment at={token.expires} />
                        </>
                      )}
                    </span>
                    {may('admin') && (
                      <button type="button" class="button small" onClick={() => setRevoking(token)}>
                        Revoke
                      </button>
                    )}
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </Panel>
      {isNew && <NewToken onClose={() => setNew(false)} onDone={() => void list.reload()} />}
      {revoking && (
        <ActionDialog
          title="Revoke"
          action="Revoke"
          dangerous
          onClose={() => setRevoking(null)}
          act={async () => {
            await request(path('tokens', revoking.id), { method: 'DELETE' });
            say(`The token ${revoking.name} is revoked.`);
            void list.reload();
          }}
        >
          <p>
            Whoever uses the token <b>{revoking.name}</b> is refused from now on. It cannot be taken back.
          </p>
        </ActionDialog>
      )}
    </div>
  );
}

function NewToken({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [expiresIn, setExpiresIn] = useState('90d');
  const [created, setCreated] = useState<CreatedToken | null>(null);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const create = async (event: Event): Promise<void> => {
    event.preventDefault();
    try {
      const body = { name: name.trim(), role, ...(expiresIn && { expiresIn }) };
      setCreated(await request<CreatedToken>('tokens', { method: 'POST', body }));
      onDone();
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  if (created)
    return (
      <Dialog title="The token, this once" onClose={onClose}>
        <div class="stack">
          <p>Copy it now: only its hash is kept, so nobody can show it again.</p>
          <input
            class="input mono"
            readOnly
            value={created.token}
            aria-label="Token"
            onFocus={(event) => event.currentTarget.select()}
          />
          <div class="dialog-actions">
            <button
              type="button"
              class="button"
              onClick={() => void navigator.clipboard.writeText(created.token).then(() => say('Copied.'))}
            >
              Copy
            </button>
            <button type="button" class="button primary" onClick={onClose}>
              Done
            </button>
          </div>
        </div>
      </Dialog>
    );
  return (
    <Dialog title="New token" onClose={onClose}>
      <form class="stack" onSubmit={(event) => void create(event)}>
        <label class="field">
          <span>Name</span>
          <input
            class="input"
            required
            maxLength={128}
            value={name}
            placeholder="who or what will use it"
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <label class="field">
          <span>Role</span>
          <select class="input" value={role} onChange={(event) => setRole(event.currentTarget.value as Role)}>
            {ROLES.map(([value, text]) => (
              <option key={value} value={value}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>Valid for (such as 90d; empty: it does not expire)</span>
          <input
            class="input"
            value={expiresIn}
            onInput={(event) => setExpiresIn(event.currentTarget.value.trim())}
          />
        </label>
        {problem && <Problem problem={problem} />}
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="button primary">
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}
