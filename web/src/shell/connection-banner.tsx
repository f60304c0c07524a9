import { coarseText } from '../format/time.js';
import { ageMs, connection, lastHeardMs, retryNow, staleSinceMs } from '../live/connection.js';
import { now } from '../live/now.js';
import { Icon } from '../ui/icon.js';

/** In the head of the page: whether what is shown is what is. */
export function ConnectionMark() {
  const state = connection.value;
  if (state === 'live' && staleSinceMs.value !== null) {
    return (
      <span class="connection is-lost" role="status">
        <span class="connection-dot" aria-hidden="true" />
        <span class="connection-word">not live</span>
      </span>
    );
  }
  const text =
    state === 'live' ? 'live' : state === 'lost' ? `lost ${coarseText(ageMs.value)} ago` : 'connecting';
  return (
    <span class={`connection is-${state}`} role="status">
      <span class="connection-dot" aria-hidden="true" />
      <span class="connection-word">{state === 'lost' ? 'not live' : text}</span>
    </span>
  );
}

/** Over the page while nobody answers, or while whoever answers is cut off from etcd. */
export function ConnectionBanner() {
  if (connection.value !== 'lost') return <StaleBanner />;
  const age = coarseText(Math.max(1_000, now.value - lastHeardMs.value), 2);
  return (
    <div class="banner tone-late">
      <Icon name="warning" />
      <span role="alert">Connection lost. What is shown here may have changed since.</span>
      <span class="banner-age">{age} old</span>
      <button type="button" class="button small" onClick={() => retryNow()}>
        Try now
      </button>
    </div>
  );
}

function StaleBanner() {
  const sinceMs = staleSinceMs.value;
  if (sinceMs === null) return null;
  return (
    <div class="banner tone-late">
      <Icon name="warning" />
      <span role="alert">This server cannot reach etcd. What is shown here may have changed since.</span>
      <span class="banner-age">{coarseText(Math.max(1_000, now.value - sinceMs), 2)} old</span>
    </div>
  );
}
