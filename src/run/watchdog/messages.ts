/**
 * What goes through the pipe from a worker to its watchdog: one JSON object a line. Moments are in ms on the machine's
 * monotonic clock, which both processes read alike.
 */

export interface EtcdConnection {
  /** `host:port` each. */
  readonly endpoints: readonly string[];
  /** PEM texts; null: clear text. */
  readonly tls: {
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
  } | null;
  readonly credentials: { readonly user: string; readonly password: string } | null;
}

export interface WatchedLease {
  /** etcd's decimal id; null when the worker has no session now. */
  readonly leaseId: string | null;
  readonly ttlMs: number;
  readonly trustedUntilMs: number;
}

export interface ProcessGroup {
  /** Also the pid of the main process, and the id of its session. */
  readonly id: number;
  /** Start of the main process in clock ticks since boot; null where the system does not tell. */
  readonly startTicks: number | null;
}

export type Message =
  | {
      readonly type: 'settings';
      readonly connection: EtcdConnection;
      readonly logFormat: 'json' | 'pretty';
    }
  /** Everything said before about lease and runs is void. */
  | { readonly type: 'reset' }
  | ({ readonly type: 'lease' } & WatchedLease)
  | { readonly type: 'starting'; readonly marker: string }
  | { readonly type: 'started'; readonly marker: string; readonly group: ProcessGroup }
  | { readonly type: 'ended'; readonly marker: string }
  /** What starts processes for the worker: while it lives, a run may begin. */
  | { readonly type: 'launcher'; readonly marker: string; readonly group: ProcessGroup }
  | { readonly type: 'launcher-ended'; readonly marker: string }
  /** The worker stops in order; nothing is left to do. */
  | { readonly type: 'done' };

export function encode(messages: readonly Message[]): string {
  return messages.map((message) => `${JSON.stringify(message)}\n`).join('');
}
