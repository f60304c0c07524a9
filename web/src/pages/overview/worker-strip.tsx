import { Link } from 'wouter-preact';
import type { WorkerList } from '../../api/types.js';
import { countText, plural } from '../../format/words.js';
import { Icon } from '../../ui/icon.js';
import { Panel } from '../../ui/panel.js';
import { Empty } from '../../ui/states.js';
import { LoadBar } from '../../ui/load-bar.js';

const MAX_SHOWN = 24;

/** Each worker with its load; the star is the leader. */
export function WorkerStrip({ list }: { list: WorkerList }) {
  const { workers } = list;
  return (
    <Panel title="Workers" aside={<Link href="/workers">{plural(workers.length, 'worker')}</Link>}>
      {workers.length === 0 ? (
        <Empty icon="server">
          No worker is there, so nothing runs. Start one: <code>etcron worker</code>
        </Empty>
      ) : (
        <ul class="worker-strip">
          {workers.slice(0, MAX_SHOWN).map((worker) => (
            <li key={worker.node}>
              <span class="worker-strip-name">
                <Link href="/workers" class="mono clip" title={worker.name}>
                  {worker.name}
                </Link>
                {worker.leader && (
                  <span class="star">
                    <Icon name="star" label="leader" />
                  </span>
                )}
              </span>
              <LoadBar load={worker.load} capacity={worker.capacity} label={`Load of ${worker.name}`} />
              <span class="small nowrap muted">
                {worker.skewed ? (
                  <span class="tone-failed">clock is off</span>
                ) : worker.state === 'draining' ? (
                  <span class="tone-late">draining</span>
                ) : (
                  `${worker.load}/${worker.capacity}`
                )}
              </span>
            </li>
          ))}
          {workers.length > MAX_SHOWN && (
            <li>
              <Link href="/workers">and {countText(workers.length - MAX_SHOWN)} more</Link>
            </li>
          )}
        </ul>
      )}
    </Panel>
  );
}
