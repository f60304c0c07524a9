/**
 * Group commit for small independent transactions. An idle batcher sends the first one at once; what arrives while
 * transactions are under way goes out together with the next, within etcd's limits. That is worth 10 to 30 times the
 * throughput under load and adds no delay without.
 *
 * A group is all or nothing, so when one member's compare fails, or etcd refuses the group, the members are sent again
 * one by one, and only the guilty one fails. The caller cannot tell the difference: every item gets the result of a transaction of its own.
 * Errors are not retried here: a lost reply is the caller's to resolve, since only it knows how to recognise its write.
 */
import { MAX_TXN_OPERATIONS, type Operation, type Store, type Txn, type TxnResult } from './store.js';
import { StoreError } from './store-error.js';

interface Item {
  readonly txn: Txn;
  readonly writes: readonly string[];
  readonly bytes: number;
  readonly resolve: (result: TxnResult) => void;
  readonly reject: (error: unknown) => void;
}

export interface TxnBatcherOptions {
  /** How many transactions may be under way at once. */
  maxInFlight?: number;
  /** Size of one request, well below etcd's 1.5 MiB. */
  maxBytes?: number;
  /** Called with the number of items of each transaction sent. */
  onSend?: (items: number) => void;
}

const DEFAULT_MAX_IN_FLIGHT = 4;
const DEFAULT_MAX_BYTES = 1024 * 1024;

export class TxnBatcher {
  readonly #store: Store;
  readonly #maxInFlight: number;
  readonly #maxBytes: number;
  readonly #onSend: ((items: number) => void) | undefined;
  readonly #queue: Item[] = [];
  #inFlight = 0;
  #flushScheduled = false;

  constructor(store: Store, options: TxnBatcherOptions = {}) {
    this.#store = store;
    this.#maxInFlight = options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT;
    this.#maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
    this.#onSend = options.onSend;
  }

  /**
   * Runs `txn` alone or as part of a group. Its writes must be to single keys; its result holds the results of its own
   * operations only. Rejects with the store's error.
   */
  submit(txn: Txn): Promise<TxnResult> {
    return new Promise((resolve, reject) => {
      const writes = txn.success
        .filter((operation) => operation.type !== 'get')
        .map((operation) => operation.key);
      this.#queue.push({ txn, writes, bytes: sizeOf(txn), resolve, reject });
      this.#scheduleFlush();
    });
  }

  /** Items submitted in the same turn of the event loop share a transaction even when nothing is under way. */
  #scheduleFlush(): void {
    if (this.#flushScheduled || this.#inFlight >= this.#maxInFlight) return;
    this.#flushScheduled = true;
    queueMicrotask(() => {
      this.#flushScheduled = false;
      while (this.#queue.length > 0 && this.#inFlight < this.#maxInFlight) this.#send(this.#takeGroup());
    });
  }

  #takeGroup(): Item[] {
    const group: Item[] = [];
    const writes = new Set<string>();
    let compares = 0;
    let successes = 0;
    let bytes = 0;
    while (this.#queue.length > 0) {
      const next = this.#queue[0]!;
      compares += next.txn.compare.length;
      successes += next.txn.success.length;
      bytes += next.bytes;
      const fits =
        compares <= MAX_TXN_OPERATIONS && successes <= MAX_TXN_OPERATIONS && bytes <= this.#maxBytes;
      // etcd refuses a transaction that writes a key twice.
      const clashes = next.writes.some((key) => writes.has(key));
      if (group.length > 0 && (!fits || clashes)) break;
      for (const key of next.writes) writes.add(key);
      group.push(this.#queue.shift()!);
    }
    return group;
  }

  #send(group: Item[]): void {
    this.#inFlight += 1;
    this.#onSend?.(group.length);
    const sent = group.length === 1 ? this.#sendOne(group[0]!) : this.#sendGroup(group);
    void sent.finally(() => {
      this.#inFlight -= 1;
      if (this.#queue.length > 0) this.#scheduleFlush();
    });
  }

  async #sendOne(item: Item): Promise<void> {
    try {
      item.resolve(await this.#store.txn(item.txn));
    } catch (error) {
      item.reject(error);
    }
  }

  async #sendEach(group: readonly Item[]): Promise<void> {
    await Promise.all(group.map((item) => this.#sendOne(item)));
  }

  async #sendGroup(group: Item[]): Promise<void> {
    let result: TxnResult;
    try {
      result = await this.#store.txn({
        compare: group.flatMap((item) => item.txn.compare),
        success: group.flatMap((item) => item.txn.success),
      });
    } catch (error) {
      // Refused for good: that may be the fault of a single member (a lease that is gone, a value that is too large).
      if (isRefusal(error)) return this.#sendEach(group);
      for (const item of group) item.reject(error);
      return;
    }
    if (!result.succeeded) return this.#sendEach(group);
    let offset = 0;
    for (const item of group) {
      const results = result.results.slice(offset, offset + item.txn.success.length);
      offset += item.txn.success.length;
      item.resolve({ succeeded: true, revision: result.revision, results });
    }
  }
}

/** Nothing was applied, and nothing will be when it is sent again. */
function isRefusal(error: unknown): boolean {
  return error instanceof StoreError && !error.maybeApplied && !error.transient;
}

function sizeOf(txn: Txn): number {
  const keys = txn.compare.reduce((sum, compare) => sum + compare.key.length + 32, 0);
  return txn.success.reduce((sum, operation) => sum + operationSize(operation), keys);
}

function operationSize(operation: Operation): number {
  return operation.key.length + 32 + (operation.type === 'put' ? Buffer.byteLength(operation.value) : 0);
}
