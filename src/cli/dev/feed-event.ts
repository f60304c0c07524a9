/** What the feed of `etcron dev` tells, one kind of line each. Times are wall-clock ms since the Unix epoch. */
import type { FiringId } from '../../etcd/keys.js';
import type { RunRecord } from '../../history/run-record.js';

export type FeedEvent =
  /** A firing ended: its run record was written. */
  | { readonly kind: 'ended'; readonly atMs: number; readonly id: FiringId; readonly record: RunRecord }
  /** A run that was recorded as lost turned out to have an end after all. */
  | {
      readonly kind: 'late-result';
      readonly atMs: number;
      readonly id: FiringId;
      readonly worker: string;
      readonly outcome: string;
    }
  /** A run has been going on for a while. */
  | ({ readonly kind: 'started' } & AttemptFacts)
  /** The attempt failed; `attempt` is the next one, which may start at `notBeforeMs`. */
  | ({ readonly kind: 'retry'; readonly notBeforeMs: number } & AttemptFacts)
  /** A worker gave a started firing away: it stops, or it could not renew its lease in time. */
  | ({ readonly kind: 'released'; readonly why: 'shutdown' | 'lease' } & AttemptFacts)
  /** Another worker goes on with a firing whose worker was lost. */
  | ({ readonly kind: 'recovered'; readonly from: string } & AttemptFacts)
  | { readonly kind: 'leader'; readonly atMs: number; readonly name: string; readonly before: string | null }
  | {
      readonly kind: 'worker';
      readonly atMs: number;
      readonly name: string;
      /** Tells a worker from its replacement, which has the same name. */
      readonly pid: number;
      /** `gone`: its lease ended without a goodbye. */
      readonly change: 'joined' | 'draining' | 'left' | 'gone';
    }
  | {
      readonly kind: 'job';
      readonly atMs: number;
      readonly name: string;
      readonly change: 'added' | 'changed' | 'deleted' | 'broken';
      /** The schedule, or what is wrong. */
      readonly detail: string;
    }
  | ({
      readonly kind: 'process-died';
      readonly atMs: number;
      readonly replaceInMs: number | null;
    } & ProcessFacts & {
        /** Such as `killed by SIGKILL` or `exit code 1`. */
        readonly how: string;
      })
  | ({ readonly kind: 'process-replaced'; readonly atMs: number } & ProcessFacts)
  /** A warning or an error that a worker, or dev itself, logged. */
  | {
      readonly kind: 'log';
      readonly atMs: number;
      readonly name: string;
      readonly level: 'warn' | 'error';
      readonly text: string;
    }
  /** Something about dev itself. */
  | { readonly kind: 'note'; readonly atMs: number; readonly text: string };

interface AttemptFacts {
  readonly atMs: number;
  readonly id: FiringId;
  readonly worker: string;
  readonly attempt: number;
}

interface ProcessFacts {
  readonly name: string;
  readonly pid: number;
}
