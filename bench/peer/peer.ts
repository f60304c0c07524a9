/** Another scheduler that does the same work on the same machine, for comparison. */
import type { Figures } from '../scenario.js';

export interface PeerContext {
  /** How much work: firings for each due time, or per second. The peer is given what etcron had. */
  readonly jobs: number;
  /** How long a scenario with a rate lasts, in seconds; 1 for a burst. */
  readonly seconds: number;
  /** Processes that do the work. */
  readonly workers: number;
  readonly say: (line: string) => void;
}

export interface Peer {
  readonly name: string;
  /** By component, e.g. `{ bullmq: '5.0.0', redis: '7.0.0' }`. */
  versions(): Promise<Readonly<Record<string, string>>>;
  /**
   * Runs the scenario and gives figures by the keys of the scenario's own measures, as far as they apply; null when it has
   * no such work.
   */
  run(scenario: string, context: PeerContext): Promise<Figures | null>;
}
