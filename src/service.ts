/**
 * The one contract of everything that runs in the background. `start` resolves when the service is working and
 * rejects (leaving nothing behind) when it cannot. `stop` is idempotent, may be called at any time, even before
 * `start` or while it is under way, never rejects, and resolves when no timer, watch or child of the service is left.
 */
export interface Service {
  start(): Promise<void>;
  stop(): Promise<void>;
}
