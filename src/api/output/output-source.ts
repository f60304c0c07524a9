/** Whoever has output: this worker, from its own disk, or another one, asked over the network. */
import type { Clock } from '../../clock.js';
import type { Cluster } from '../../etcd/cluster.js';
import { parseRunId } from '../../etcd/keys.js';
import { singleKey } from '../../etcd/store.js';
import { readAttempt, Waiting, type OutputEntry, type StreamChoice } from '../../run/output/read-attempt.js';
import { listAttempts, type StoredAttempt } from '../../run/output/stored-attempts.js';
import type { KeptOutput } from '../schemas/output.js';
import { decodeFiring } from '../../view/firing-record.js';

export interface ReadRequest {
  readonly runId: string;
  readonly attempt: number;
  readonly stream: StreamChoice;
  /** Negative: so many bytes before the end. */
  readonly offset: number;
  readonly limit: number | null;
  /** Until the attempt ends; it may not have written anything yet. */
  readonly follow: boolean;
}

export interface OutputSource {
  /** The name of the worker. */
  readonly worker: string;
  list(runId: string, signal: AbortSignal): Promise<KeptOutput[]>;
  /** Rejects with the signal's reason, or an `EtcronError`. Ends with an `end`, unless there was a limit. */
  read(request: ReadRequest, signal: AbortSignal): AsyncGenerator<OutputEntry>;
}

/** What was written last gets to the disk this long after the end of a run at the latest. */
const LAST_WRITES_MS = 2_000;

export class LocalSource implements OutputSource {
  readonly worker: string;
  readonly #folder: string;
  readonly #cluster: Cluster;
  readonly #clock: Clock;

  /** `folder`: of this worker alone. */
  constructor(worker: string, folder: string, cluster: Cluster, clock: Clock) {
    this.worker = worker;
    this.#folder = folder;
    this.#cluster = cluster;
    this.#clock = clock;
  }

  async list(runId: string): Promise<KeptOutput[]> {
    const attempts = await listAttempts(this.#folder, runId);
    return attempts.map((one) => ({
      ...{ attempt: one.attempt, worker: this.worker, node: one.node, fencingToken: one.fencingToken },
      startedAt: new Date(one.startedAtMs).toISOString(),
      endedAt: one.endedAtMs === null ? null : new Date(one.endedAtMs).toISOString(),
      ...{ stdoutBytes: one.total.stdout, stderrBytes: one.total.stderr, keptBytes: one.keptBytes },
    }));
  }

  async *read(request: ReadRequest, signal: AbortSignal): AsyncGenerator<OutputEntry> {
    const isOver = this.#isOver(request);
    const follow = request.follow ? { clock: this.#clock, isOver, signal } : null;
    const waiting = follow && new Waiting(follow);
    let stored = await this.#find(request);
    while (stored === null && waiting !== null && !waiting.isOver) {
      await waiting.pause();
      await waiting.ask();
      stored = await this.#find(request);
    }
    if (stored === null) {
      yield { kind: 'end', offset: 0, complete: false };
      return;
    }
    const { stream, offset, limit } = request;
    yield* readAttempt(stored, { stream, offset, limit, follow });
  }

  async #find({ runId, attempt }: ReadRequest): Promise<StoredAttempt | null> {
    return (await listAttempts(this.#folder, runId, attempt)).at(-1) ?? null;
  }

  /** By etcd, for an attempt whose worker did not get to say so. */
  #isOver({ runId, attempt }: ReadRequest): () => Promise<boolean> {
    const { store, keys } = this.#cluster;
    const id = parseRunId(runId);
    let overSinceMs: number | null = null;
    return async () => {
      if (id === null) return true;
      // While etcd does not answer nobody knows.
      const found = await store.range(singleKey(keys.firing(id))).catch(() => null);
      if (found === null) return false;
      const [kv] = found.kvs;
      const firing = kv === undefined ? null : decodeFiring(kv);
      const goesOn = firing?.ok === true && firing.value.node !== null && firing.value.attempt === attempt;
      if (goesOn) overSinceMs = null;
      else overSinceMs ??= this.#clock.monotonicMs();
      return overSinceMs !== null && this.#clock.monotonicMs() - overSinceMs >= LAST_WRITES_MS;
    };
  }
}
