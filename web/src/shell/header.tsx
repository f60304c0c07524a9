import { Link, useLocation } from 'wouter-preact';
import type { Cluster } from '../api/types.js';
import { clockText, coarseText, shownZone, zoneChoice, zoneName, type ZoneChoice } from '../format/time.js';
import { connection } from '../live/connection.js';
import { now } from '../live/now.js';
import { useResource, topics } from '../live/resource.js';
import { logOut, session } from '../live/session.js';
import { Icon, type IconName } from '../ui/icon.js';
import { themeChoice, type ThemeChoice } from '../ui/theme.js';
import { ConnectionMark } from './connection-banner.js';

const PLACES: readonly [string, string, IconName][] = [
  ['/', 'Overview', 'board'],
  ['/jobs', 'Jobs', 'list'],
  ['/runs', 'Runs', 'history'],
  ['/workers', 'Workers', 'server'],
];

/** What the overview and the head both read. */
export function useCluster() {
  return useResource<Cluster>('cluster', {
    isAffected: topics('workers', 'leader', 'jobs', 'runs'),
    everyMs: 3_000,
    refreshMs: 15_000,
  });
}

export function Header({ onFind, onHelp }: { onFind: () => void; onHelp: () => void }) {
  const [location] = useLocation();
  const cluster = useCluster();
  const leader = cluster.data?.leader ?? null;
  const isHere = (href: string): boolean => (href === '/' ? location === '/' : location.startsWith(href));
  return (
    <header class="head">
      <div class="head-in">
        <Link href="/" class="brand">
          <svg viewBox="0 0 24 24" width="22" height="22" aria-hidden="true">
            <circle cx="12" cy="12" r="9" />
            <path d="M12 6.5V12l4 2.7" />
          </svg>
          <span>etcron</span>
          {cluster.data && <span class="brand-prefix mono">{cluster.data.prefix}</span>}
        </Link>
        <nav class="places" aria-label="Pages">
          {PLACES.map(([href, name, icon]) => (
            <Link key={href} href={href} {...(isHere(href) ? { 'aria-current': 'page' } : {})}>
              <Icon name={icon} />
              <span>{name}</span>
            </Link>
          ))}
        </nav>
        <div class="head-right">
          <button type="button" class="find" onClick={onFind} aria-label="Find a job">
            <Icon name="search" />
            <span>Find a job</span>
            <kbd aria-hidden="true">/</kbd>
          </button>
          {leader && (
            <Link href="/workers" class="head-leader" title={`Leader since ${leader.since}`}>
              <Icon name="star" label="Leader" />
              <span class="mono clip">{leader.name}</span>
              <span class="muted">{coarseText(now.value - Date.parse(leader.since))}</span>
            </Link>
          )}
          {cluster.data && leader === null && (
            <Link href="/workers" class="head-leader tone-failed">
              <Icon name="warning" /> no leader
            </Link>
          )}
          <ConnectionMark />
          <Clock />
          <Menu onHelp={onHelp} />
        </div>
      </div>
    </header>
  );
}

function Clock() {
  const zone = shownZone();
  const frozen = connection.value === 'lost';
  return (
    <span class={`clock ${frozen ? 'muted' : ''}`} title={zone}>
      <span class="mono">{clockText(now.value, zone)}</span>{' '}
      <span class="muted small">{zoneName(now.value, zone)}</span>
    </span>
  );
}

/** Settings of this browser, who one is, and the pages that are seldom needed. */
function Menu({ onHelp }: { onHelp: () => void }) {
  const who = session.value;
  const close = (event: Event): void => {
    if (event.currentTarget instanceof HTMLElement)
      event.currentTarget.closest('details')?.removeAttribute('open');
  };
  return (
    <details
      class="menu"
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.currentTarget.removeAttribute('open');
        event.currentTarget.querySelector('summary')?.focus();
      }}
      onFocusOut={(event) => {
        const to = event.relatedTarget;
        if (to instanceof Node && !event.currentTarget.contains(to))
          event.currentTarget.removeAttribute('open');
      }}
    >
      <summary aria-label="Settings and more">
        <Icon name="more" />
      </summary>
      <div class="menu-body">
        {who && (
          <p class="menu-who">
            <span class="strong clip">{who.name}</span>
            <span class="muted">{who.role}</span>
          </p>
        )}
        <label class="field">
          <span>Times in</span>
          <select
            class="input"
            value={zoneChoice.value}
            onChange={(event) => (zoneChoice.value = event.currentTarget.value as ZoneChoice)}
          >
            <option value="local">your zone</option>
            <option value="utc">UTC</option>
            <option value="job">the zone of the job</option>
          </select>
        </label>
        <label class="field">
          <span>Colours</span>
          <select
            class="input"
            value={themeChoice.value}
            onChange={(event) => (themeChoice.value = event.currentTarget.value as ThemeChoice)}
          >
            <option value="system">like the system</option>
            <option value="light">light</option>
            <option value="dark">dark</option>
          </select>
        </label>
        <ul class="menu-links">
          <li>
            <Link href="/limits" onClick={close}>
              Limits
            </Link>
          </li>
          <li>
            <Link href="/audit" onClick={close}>
              Audit
            </Link>
          </li>
          <li>
            <Link href="/tokens" onClick={close}>
              Tokens
            </Link>
          </li>
          <li>
            <button
              type="button"
              class="link"
              onClick={(event) => {
                close(event);
                onHelp();
              }}
            >
              Keys <kbd aria-hidden="true">?</kbd>
            </button>
          </li>
          {who?.via === 'cookie' && (
            <li>
              <button type="button" class="link" onClick={() => void logOut()}>
                Log out
              </button>
            </li>
          )}
        </ul>
      </div>
    </details>
  );
}
