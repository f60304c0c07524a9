/** Who wants to hear of the attempts that this node makes. Its functions must not throw. */
import type { Outcome, RunRecord } from '../history/run-record.js';
import type { ClaimResult } from './claim-txn.js';

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

/**
 * Why an attempt starts when it does: at its due time; when its turn came; because a misfire policy chose it to run late;
 * after an attempt that failed or was lost; because somebody asked for it.
 */
export type StartKind = 'on_schedule' | 'queued' | 'misfire' | 'retry' | 'manual';

/** `won`, or what the claim was lost against. */
export type ClaimAnswer = 'won' | Extract<ClaimResult, { won: false }>['why'];

export interface RunObserver {
  readonly runStarted?: (attempt: AttemptFacts, latenessMs: number, kind: StartKind) => void;
  readonly runEnded?: (attempt: AttemptFacts, record: RunRecord, next: WhatNext) => void;
  /** This node wrote the terminal record of a run, be it one in which nothing ran. */
  readonly runRecorded?: (outcome: Outcome) => void;
  readonly claimAnswered?: (answer: ClaimAnswer) => void;
}
