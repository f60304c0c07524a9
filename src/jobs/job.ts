import type { Pause } from './pause.js';

/**
 * One job, fully resolved: every default filled in, every duration in ms, schedule and time zone known to be valid.
 * What a person writes is a `JobDefinition` (`schema.ts`); the rest of etcron works with this.
 */
export interface Job {
  readonly name: string;
  /** The schedule expression, or several, as written. */
  readonly schedule: string | readonly string[];
  /** IANA name. */
  readonly timezone: string;
  /** The first and the last moment at which it can be due, as written; null is no bound. */
  readonly startAt: string | null;
  readonly endAt: string | null;
  /** Days on which it can be due (empty: all), and on which it cannot; as written. */
  readonly only: readonly string[];
  readonly exclude: readonly string[];
  /** Each run starts at its due time plus a part of this, its own for each due time; 0 is none. */
  readonly jitterMs: number;
  /** A string goes through `/bin/sh -c`; an array is a program and its arguments, without a shell. */
  readonly command: string | readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** An absolute path, or null for the worker's own choice. */
  readonly cwd: string | null;
  /** Per attempt; null is no limit. */
  readonly timeoutMs: number | null;
  readonly retries: RetryPolicy;
  readonly overlap: 'allow' | 'skip';
  /** How many runs of the job may go on at once; null is no bound. */
  readonly maxConcurrent: number | null;
  readonly misfire: MisfireRule;
  readonly recovery: 'rerun' | 'abandon';
  /** See `pause.ts`: a pause without an end is `true`, or a map without `until`. */
  readonly paused: boolean | Pause;
  readonly description: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly history: HistoryLimit;
  /**
   * Changes exactly when the due times change: schedule, time zone and their bounds, the end of a pause among them; or the
   * jitter, which is no matter of due times but of what is planned for them.
   */
  readonly fingerprint: string;
}

export interface RetryPolicy {
  /** Attempts in all, the first one included. */
  readonly attempts: number;
  /** The wait before the second attempt. */
  readonly delayMs: number;
  /** `exponential` doubles the wait from one attempt to the next, up to `maxDelayMs`. */
  readonly backoff: 'fixed' | 'exponential';
  readonly maxDelayMs: number;
}

/** What becomes of due times that were already past when they could first be planned. */
export interface MisfireRule {
  readonly policy: 'once' | 'skip' | 'all';
  /** Due times older than this are missed under every policy. */
  readonly windowMs: number;
  /** `all` makes up for at most this many, the newest. */
  readonly limit: number;
}

export interface HistoryLimit {
  /** Run records kept. */
  readonly limit: number;
  readonly maxAgeMs: number;
}
