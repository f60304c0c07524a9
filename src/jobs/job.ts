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
  /** After so many runs of the schedule it is done; null is no bound. */
  readonly maxRuns: number | null;
  /** When it will never be due again, its definition is removed this much later; null: never. */
  readonly removeAfterMs: number | null;
  /** A run that could not start within this is `missed`; null: `misfire` alone decides. */
  readonly startDeadlineMs: number | null;
  readonly target: Target;
  /** One run on each worker that `target` fits. */
  readonly everywhere: boolean;
  /** How much of a worker's capacity a run takes. */
  readonly weight: number;
  readonly task: Task;
  /** Variables of a command, or what `{{ secrets.NAME }}` stands for in `http`; read by the worker that runs it. */
  readonly secrets: Readonly<Record<string, SecretSource>>;
  /** Per attempt; null is no limit. */
  readonly timeoutMs: number | null;
  readonly retries: RetryPolicy;
  /** What becomes of a due time that finds `maxConcurrent` runs going on. */
  readonly overlap: OverlapRule;
  /** How many runs of the job may go on at once; null is no bound (`allow`). */
  readonly maxConcurrent: number | null;
  /** Names of limits that it shares with other jobs. */
  readonly limits: readonly string[];
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

/** What a run does. */
export type Task = CommandTask | HttpTask | HandlerTask;

export interface CommandTask {
  readonly kind: 'command';
  /** A string goes through `/bin/sh -c`; an array is a program and its arguments, without a shell. */
  readonly command: string | readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** An absolute path, or null for the worker's own choice. */
  readonly cwd: string | null;
  /** Names or numbers; null is the worker's own. */
  readonly user: string | null;
  readonly group: string | null;
  /** As a number; null is the worker's own. */
  readonly umask: number | null;
  readonly nice: number | null;
  readonly stdin: string | null;
  readonly successExitCodes: readonly number[];
}

export interface HttpTask {
  readonly kind: 'http';
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** `204`, or a class: `2xx`. */
  readonly expectStatus: readonly string[];
}

export interface HandlerTask {
  readonly kind: 'handler';
  readonly handler: string;
  /** Any JSON; null where none was given. */
  readonly payload: unknown;
}

/** By label: its value must be one of these; `*` is any. */
export type WantedLabels = Readonly<Record<string, readonly string[]>>;

export interface Target {
  /** A worker must have all of these. */
  readonly with: WantedLabels;
  /** And none of these. */
  readonly without: WantedLabels;
}

/** Where a worker finds a secret: never in etcd. */
export type SecretSource = { readonly env: string } | { readonly file: string };

export interface OverlapRule {
  readonly policy: 'skip' | 'allow' | 'queue' | 'replace';
  /** `queue`: so many due times may wait. */
  readonly limit: number;
}

export interface RetryPolicy {
  /** Attempts in all, the first one included. */
  readonly attempts: number;
  /** The wait before the second attempt. */
  readonly delayMs: number;
  /** `exponential` doubles the wait from one attempt to the next, up to `maxDelayMs`. */
  readonly backoff: 'fixed' | 'exponential';
  readonly maxDelayMs: number;
  /** Each wait is longer by up to this, its own for each attempt. */
  readonly jitterMs: number;
  /** Only after these; null: after every failure. */
  readonly exitCodes: readonly number[] | null;
  /** Another worker than that of the attempt before, where one can take it. */
  readonly avoidLastWorker: boolean;
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
