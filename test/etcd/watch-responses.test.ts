import { describe, expect, it } from 'vitest';
import type { WatchEvent } from '../../src/etcd/store.js';
import { WatchResponses, revisionOf } from '../../src/etcd/watch-responses.js';

const at = (...revisions: number[]): WatchEvent[] =>
  revisions.map((modRevision) => ({ type: 'delete', key: `k${modRevision}`, modRevision }));
const revisions = (events: readonly WatchEvent[]): number[] => events.map(revisionOf);

describe('the responses of a watch', () => {
  it('become events once, also when a new stream repeats what the last one brought', () => {
    const responses = new WatchResponses(5);
    expect(revisions(responses.take(at(4, 5, 6), false))).toEqual([5, 6]);
    responses.streamBegins();
    expect(revisions(responses.take(at(5, 6), false))).toEqual([]);
    expect(revisions(responses.take(at(6, 7), false))).toEqual([7]);
    expect(responses.nextRevision).toBe(8);
  });

  it('are put together when a revision comes in fragments', () => {
    const responses = new WatchResponses(5);
    expect(responses.take(at(5), true)).toEqual([]);
    expect(responses.take(at(5), true)).toEqual([]);
    expect(responses.nextRevision).toBe(5);
    expect(revisions(responses.take(at(5), false))).toEqual([5, 5, 5]);
    expect(responses.nextRevision).toBe(6);
  });

  it('count from the beginning when the stream breaks off between two fragments', () => {
    const responses = new WatchResponses(5);
    responses.take(at(5), true);
    responses.streamBegins();
    expect(responses.isEmpty).toBe(true);
    expect(revisions(responses.take(at(5, 5), false))).toEqual([5, 5]);
  });

  it('never go back for a progress that is older than the events', () => {
    const responses = new WatchResponses(5);
    responses.completeThrough(9);
    responses.completeThrough(7);
    expect(responses.nextRevision).toBe(10);
  });
});
