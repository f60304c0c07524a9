import { distance } from 'fastest-levenshtein';

/**
 * Up to `count` of the candidates that look like a misspelling of `text`, nearest first: at most a third of the
 * letters differ, letter case aside, and no candidate is more than one letter worse than the best.
 */
export function nearest(text: string, candidates: readonly string[], count: number): string[] {
  return nearestBy(text, candidates, (candidate) => [candidate], count);
}

/** As `nearest`, for candidates that go by several names (`spellings`). */
export function nearestBy(
  text: string,
  candidates: readonly string[],
  spellings: (candidate: string) => readonly string[],
  count: number,
): string[] {
  const wanted = text.toLowerCase();
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  const scored = candidates
    .map((candidate) => ({
      candidate,
      edits: Math.min(...spellings(candidate).map((spelling) => distance(wanted, spelling.toLowerCase()))),
    }))
    .filter(({ edits }) => edits <= limit)
    .sort((a, b) => a.edits - b.edits);
  return scored
    .filter(({ edits }) => edits <= scored[0]!.edits + 1)
    .slice(0, count)
    .map(({ candidate }) => candidate);
}
