/** Who wants to hear of the attempts that this node makes. Its functions must not throw. */
import type { RunRecord } from '../history/run-record.js';

export interface AttemptFacts {
  /** `<job>/<due>[+suffix]` */
  readonly runId: string;
  readonly job: string;
  readonly dueMs: number;
  readonly attempt: number;
  readonly fencingToken: number;
}

/**
 * What becomes of the firing after an attempt: its end is recorded, it is tried again, or another worker goes on with it (this
 * one is being stopped, or may have lost its lease).
 */
export type WhatNext = 'recorded' | 'retry' | 'handed-over';

export interface RunObserver {
  readonly runStarted?: (attempt: AttemptFacts, latenessMs: number) => void;
  readonly runEnded?: (attempt: AttemptFacts, record: RunRecord, next: WhatNext) => void;
}
