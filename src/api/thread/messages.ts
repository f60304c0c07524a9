/** What a worker and the thread of its API tell each other. */
import type { ErrorCode } from '../../errors.js';
import type { ConnectionOptions } from '../../etcd/connection-options.js';
import type { ApiListenOptions } from '../../node/api-options.js';
import type { OutputSettings } from '../../run/output/settings.js';
import type { LoggerOptions } from '../../telemetry/logger.js';
import type { Readiness } from '../context.js';

/** With which the thread begins; copied into it. */
export interface ThreadData {
  readonly connection: ConnectionOptions;
  readonly listen: ApiListenOptions;
  readonly log: Pick<LoggerOptions, 'level' | 'format'>;
  /** Of the worker. */
  readonly name: string;
  /** Where the worker keeps the output of its runs; null: it keeps none. */
  readonly output: OutputSettings | null;
}

export interface WorkerState extends Readiness {
  readonly nodeId: string | null;
}

/** What only the worker can answer. */
export interface Answers {
  readonly metrics: string;
  readonly state: WorkerState;
}

export type FromThread =
  | { readonly kind: 'listening'; readonly url: string }
  /** It ends after this. */
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly message: string;
      readonly hint: string | null;
      /** Somebody has to change a setting: to try again does not help. */
      readonly isFinal: boolean;
    }
  | { readonly kind: 'ask'; readonly id: number; readonly question: keyof Answers }
  /** To each ping. */
  | { readonly kind: 'pong' };

export type ToThread =
  | { readonly kind: 'stop' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: Answers[keyof Answers] };
