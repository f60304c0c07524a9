import type { DoctorFacts } from './facts.js';

/** `error`: something does not work, or soon will not. `warning`: somebody should look. `advice`: it could be better. */
export type Severity = 'error' | 'warning' | 'advice';

export interface Finding {
  readonly severity: Severity;
  /** One sentence. */
  readonly what: string;
  /** Jobs, runs, workers, keys, members of etcd. */
  readonly where: readonly string[];
  /** What to do; commands in it can be copied. */
  readonly remedy: string;
}

/** One thing that can be wrong; judges the facts alone. */
export interface Check {
  readonly name: string;
  /** What is well when it finds nothing. */
  readonly good: string;
  readonly find: (facts: DoctorFacts) => readonly Finding[];
}
