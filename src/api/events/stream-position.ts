/**
 * How far a stream of events has come: a revision for each of the three watches that feed it. Written as one id, it can be
 * resumed on any node, since each of them follows the same revisions.
 */
export interface StreamPosition {
  readonly main: number;
  readonly runs: number;
  readonly workers: number;
}

const ID = /^(\d{1,15})-(\d{1,15})-(\d{1,15})$/;

export function formatPosition({ main, runs, workers }: StreamPosition): string {
  return `${main}-${runs}-${workers}`;
}

/** Null for what is no position. */
export function parsePosition(text: string): StreamPosition | null {
  const match = ID.exec(text);
  return match && { main: Number(match[1]), runs: Number(match[2]), workers: Number(match[3]) };
}

/** Nothing in `a` lies after `b`. */
export function reaches(a: StreamPosition, b: StreamPosition): boolean {
  return a.main <= b.main && a.runs <= b.runs && a.workers <= b.workers;
}
