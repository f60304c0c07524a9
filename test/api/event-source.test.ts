/** What sockets would show only by chance: what is told to whoever comes back, and what is let go of. */
import { describe, expect, test } from 'vitest';
import { EventSource, type EventSourceOptions } from '../../src/api/events/event-source.js';
import type { ClusterReader } from '../../src/api/reader/cluster-reader.js';
import { FakeClock } from '../../src/testing/fake-clock.js';
import type { ViewChanges } from '../../src/view/cluster-view.js';

const NO_CHANGES = {
  ...{ jobs: new Map(), firings: new Map(), workers: new Map() },
  ...{ kills: new Set(), drains: new Set(), leader: false },
} as unknown as ViewChanges;

/** A cluster in which nothing is but changes. */
class Source {
  readonly clock = new FakeClock(0);
  readonly source: EventSource;
  readonly live = { view: { revision: 1 }, workersRevision: 1 };
  held = 0;
  #tell: (changes: ViewChanges) => void = () => undefined;

  constructor(options: EventSourceOptions = {}, feed?: Promise<never>) {
    const release = (): void => void (this.held -= 1);
    const hold = (service: object) => () => {
      this.held += 1;
      return Promise.resolve({ service, release });
    };
    Object.assign(this.live, { jobs: { names: [], ready: () => Promise.resolve(), get: () => undefined } });
    Object.assign(this.live.view, {
      ...{ jobs: new Map(), firings: new Map(), workers: new Map() },
      onChange: (tell: (changes: ViewChanges) => void) => {
        this.#tell = tell;
        return () => undefined;
      },
    });
    const quietFeed = { revision: 1, onChange: () => () => undefined };
    const reader = {
      live: { hold: hold(this.live) },
      feed: { hold: feed === undefined ? hold(quietFeed) : () => feed },
    } as unknown as ClusterReader;
    this.source = new EventSource(reader, this.clock, options);
  }

  /** That they are gone. */
  change({ jobs = [], workers = [] }: { jobs?: string[]; workers?: string[] }): void {
    const map = (names: string[]) => new Map(names.map((name) => [name, undefined]));
    if (jobs.length > 0) this.live.view.revision += 1;
    if (workers.length > 0) this.live.workersRevision += 1;
    this.#tell({ ...NO_CHANGES, jobs: map(jobs), workers: map(workers) });
  }

  /** The text of all frames from now on. */
  hear(): { text: string } {
    const heard = { text: '' };
    this.source.listen(null, (text) => (heard.text += text));
    return heard;
  }
}

const idsIn = (text: string): string[] => [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id!);

describe('whoever comes back', () => {
  test('hears of workers that were to be told of when he left, although no revision came in between', async () => {
    const cluster = new Source();
    await cluster.source.start();
    const heard = cluster.hear();
    cluster.change({ workers: ['w1'] });
    await cluster.clock.advance(200);
    cluster.change({ jobs: ['a'], workers: ['w2'] });
    await cluster.clock.advance(200);
    expect(heard.text).toContain('"removed":["a"]');
    expect(heard.text).not.toContain('w2');
    const seen = idsIn(heard.text).at(-1)!;
    await cluster.clock.advance(1_000);
    expect(idsIn(heard.text).at(-1)).toBe(seen);
    const { first } = cluster.source.listen(seen, () => undefined);
    expect(first).toContain('"removed":["w2"]');
  });

  test('begins anew where more happened than he can be sent at once', async () => {
    const cluster = new Source({ maxReplayLength: 1_000 });
    await cluster.source.start();
    const heard = cluster.hear();
    cluster.change({ jobs: ['a'] });
    await cluster.clock.advance(200);
    const [seen] = idsIn(heard.text);
    for (let round = 0; round < 3; round += 1) {
      cluster.change({ jobs: ['x'.repeat(400)] });
      await cluster.clock.advance(200);
    }
    const { first } = cluster.source.listen(seen!, () => undefined);
    expect(first).toContain('event: reset');
    expect(first.length).toBeLessThan(300);
    const lately = cluster.source.listen(idsIn(heard.text).at(-2)!, () => undefined);
    expect(lately.first).not.toContain('event: reset');
  });
});

test('what cannot begin holds nothing', async () => {
  const cluster = new Source({}, Promise.reject(new Error('no answer')));
  await expect(cluster.source.start()).rejects.toThrow('no answer');
  await cluster.source.stop();
  expect(cluster.held).toBe(0);
});
