/** Who looks at the page. */
import { computed, signal } from '@preact/signals';
import { onUnauthorized, request } from '../api/client.js';
import { asProblem, type ApiProblem } from '../api/problem.js';
import type { Role, Session } from '../api/types.js';
import { connect } from './connection.js';
import { forgetResources } from './resource.js';

export type SessionState =
  | { readonly kind: 'unknown'; readonly problem: ApiProblem | null }
  | { readonly kind: 'known'; readonly session: Session }
  /** `expired`: there was one a moment ago. */
  | { readonly kind: 'none'; readonly expired: boolean };

export const sessionState = signal<SessionState>({ kind: 'unknown', problem: null });

export const session = computed(() =>
  sessionState.value.kind === 'known' ? sessionState.value.session : null,
);

const RANKS: Readonly<Record<Role, number>> = { viewer: 0, operator: 1, admin: 2 };

/** Whether the viewer may do what needs this role. The server decides again. */
export function may(role: Role): boolean {
  const own = session.value?.role;
  return own !== undefined && RANKS[own] >= RANKS[role];
}

const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 10_000;

/** Asks who the viewer is until somebody answers, and begins to listen for changes then. */
export async function loadSession(retryMs = FIRST_RETRY_MS): Promise<void> {
  try {
    sessionState.value = { kind: 'known', session: await request<Session>('session') };
    connect();
  } catch (error) {
    const problem = asProblem(error);
    // The listener below has noted it.
    if (problem.status === 401) return;
    sessionState.value = { kind: 'unknown', problem };
    window.setTimeout(() => void loadSession(Math.min(retryMs * 2, MAX_RETRY_MS)), retryMs);
  }
}

/** Rejects with an `ApiProblem` when the token is none. */
export async function logIn(token: string): Promise<void> {
  await request('session', { method: 'POST', body: { token } });
  forgetResources();
  await loadSession();
}

export async function logOut(): Promise<void> {
  await request('session', { method: 'DELETE' });
  forgetResources();
  window.location.reload();
}

onUnauthorized(() => {
  const before = sessionState.peek();
  if (before.kind === 'none') return;
  sessionState.value = { kind: 'none', expired: before.kind === 'known' };
});
