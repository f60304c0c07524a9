import { useEffect, useRef, useState } from 'preact/hooks';
import { asProblem, type ApiProblem } from '../api/problem.js';
import { logIn } from '../live/session.js';
import { Problem } from '../ui/states.js';
import { useTitle } from './title.js';

/** Asks for a token; the browser keeps it in a cookie that no script can read. */
export function LogIn({ expired }: { expired: boolean }) {
  useTitle('Log in');
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [isBusy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => input.current?.focus(), []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await logIn(token.trim());
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
      input.current?.select();
    }
  };
  return (
    <main class="log-in" id="main">
      <form class="panel log-in-panel stack" onSubmit={(event) => void submit(event)}>
        <h1>etcron</h1>
        <p>
          {expired
            ? 'Your session has ended: the token has expired, or was revoked. Log in to go on where you were.'
            : 'This cluster asks for a token.'}
        </p>
        <label class="field">
          <span>Token</span>
          <input
            ref={input}
            class="input mono"
            type="password"
            autocomplete="current-password"
            required
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {problem && <Problem problem={problem} />}
        <button type="submit" class="button primary" disabled={isBusy}>
          {isBusy ? 'Working …' : 'Log in'}
        </button>
        <p class="muted small">
          An admin makes one: <code>etcron tokens create</code>
        </p>
      </form>
    </main>
  );
}
