/** What the HTTP API works with. It is plain code: a worker runs it in a thread of its own, `etcron serve` and tests in theirs. */
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../clock.js';
import type { Keys } from '../etcd/keys.js';
import type { Store } from '../etcd/store.js';
import type { Logger } from '../telemetry/logger.js';
import type { TlsServerOptions } from './auth/tls-files.js';

export interface ApiContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly log: Logger;
  /** The worker whose API this is; null for `etcron serve`. */
  readonly worker: WorkerPort | null;
  readonly settings: ApiSettings;
  /** What else is served, such as the page; registered after the routes. */
  readonly extensions?: readonly ((app: FastifyInstance) => Promise<void>)[];
}

export interface ApiSettings {
  /** It listens on a loopback address only. */
  readonly isLoopback: boolean;
  readonly tls?: TlsServerOptions;
  /** Requests a second from one address; more are answered with 429. */
  readonly requestsPerSecond?: number;
  /** Event streams at once. */
  readonly maxStreams?: number;
  /** The name of the worker whose API this is, and its own folder with the output of runs; null: it keeps none. */
  readonly output?: { readonly worker: string; readonly folder: string } | null;
  /** By which the certificates of other workers' APIs are verified, PEM; the system's authorities by default. */
  readonly peerCa?: Buffer | string | string[] | undefined;
}

/** What the API may know of the worker that it belongs to; it lives in another thread. */
export interface WorkerPort {
  /** Of its present life; null between two. */
  readonly nodeId: string | null;
  /** Its metrics, in the text format of Prometheus. */
  metrics(): Promise<string>;
  readiness(): Promise<Readiness>;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not. */
  readonly reasons: readonly string[];
}

export const API_DEFAULTS = { requestsPerSecond: 2_000, maxStreams: 200 } as const;
