/** A promise that was broken. */
export interface Violation {
  readonly text: string;
  /** About which run, or which job; null for the cluster as a whole. */
  readonly subject: string | null;
  /** When, on the simulation's clock; null for what only shows at the end. */
  readonly atMs: number | null;
}
