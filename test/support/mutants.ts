/**
 * Bugs on purpose, for the simulation to find. Each is made from outside, between a node and its store, clock or watchdog,
 * so that the code itself stays what it is.
 */
import { Keys } from '../../src/etcd/keys.js';
import type { Compare, KeyValue, Operation, Store, Txn, WatchEvent } from '../../src/etcd/store.js';
import type { Mutation } from '../../src/testing/simulation/simulate.js';

const keys = new Keys('/cron');

type Put = Extract<Operation, { type: 'put' }>;
type Value = Record<string, unknown>;

/** A store that sends other transactions than it was given. */
function rewriting(rewrite: (txn: Txn) => Txn): Mutation {
  return { store: (store) => ({ ...store, txn: (txn, options) => store.txn(rewrite(txn), options) }) };
}

function withoutCompare(isDropped: (compare: Compare, txn: Txn) => boolean): Mutation {
  return rewriting((txn) => ({
    ...txn,
    compare: txn.compare.filter((compare) => !isDropped(compare, txn)),
  }));
}

function withoutOperation(isDropped: (operation: Operation, txn: Txn) => boolean): Mutation {
  return rewriting((txn) => ({
    ...txn,
    success: txn.success.filter((operation) => !isDropped(operation, txn)),
  }));
}

/** Changes the JSON value of each put below `prefix`. */
function withValues(prefix: string, change: (value: Value, put: Put) => Value): Mutation {
  return rewriting((txn) => ({
    ...txn,
    success: txn.success.map((operation) => {
      if (operation.type !== 'put' || !operation.key.startsWith(prefix)) return operation;
      const value = JSON.parse(String(operation.value)) as Value;
      return { ...operation, value: JSON.stringify(change(value, operation)) };
    }),
  }));
}

const renewsAlways = (store: Store): Store => ({
  ...store,
  leaseKeepAlive: async (leaseId, options) => {
    await store.leaseKeepAlive(leaseId, options).catch(() => undefined);
    return { ttlMs: 10_000 };
  },
});

/** The first batch of each watch, and of each time it comes back, is lost. */
function losingEvents(store: Store): Store {
  return {
    ...store,
    watch(range, fromRevision, listener) {
      let isFirst = true;
      return store.watch(range, fromRevision, {
        ...listener,
        onEvents: (events) => {
          const lost = isFirst ? 1 : 0;
          isFirst = false;
          if (events.length > lost) listener.onEvents(events.slice(lost));
        },
        onConnection: (connected, error) => {
          if (connected) isFirst = true;
          listener.onConnection?.(connected, error);
        },
        onLost: (error) => listener.onLost(error),
      });
    },
  };
}

const REPEATED_AFTER = 5;

/** What was brought some batches ago comes again behind the new, and is taken for new, too. */
function repeatingEvents(store: Store): Store {
  return {
    ...store,
    watch(range, fromRevision, listener) {
      const past: (readonly WatchEvent[])[] = [];
      return store.watch(range, fromRevision, {
        ...listener,
        onEvents: (events) => {
          past.push(events);
          const again = past.length > REPEATED_AFTER ? past.shift()! : [];
          listener.onEvents([...events, ...again]);
        },
        onLost: (error) => listener.onLost(error),
      });
    },
  };
}

/** Nodes read other values below `prefix` than there are. */
function reading(prefix: string, change: (value: Value) => Value): Mutation {
  const bent = (kv: KeyValue): KeyValue => {
    if (!kv.key.startsWith(prefix)) return kv;
    try {
      const value = JSON.parse(kv.value.toString()) as Value;
      return { ...kv, value: Buffer.from(JSON.stringify(change(value))) };
    } catch {
      return kv;
    }
  };
  return {
    store: (store) => ({
      ...store,
      range: async (range, options) => {
        const result = await store.range(range, options);
        return { ...result, kvs: result.kvs.map(bent) };
      },
      watch: (range, fromRevision, listener) =>
        store.watch(range, fromRevision, {
          ...listener,
          onEvents: (events) =>
            listener.onEvents(
              events.map((event) => (event.type === 'put' ? { ...event, kv: bent(event.kv) } : event)),
            ),
          onLost: (error) => listener.onLost(error),
        }),
    }),
  };
}

const readingJobs = (change: (job: Value) => Value): Mutation => reading(keys.jobs, change);

const isClaim = ({ success }: Txn): boolean =>
  success.some((operation) => operation.type === 'put' && operation.key.startsWith(keys.locks));
const isLock = ({ key }: { key: string }): boolean => key.startsWith(keys.locks);
const isFiring = ({ key }: { key: string }): boolean => key.startsWith(keys.firings);
const lockOfJob = (key: string): string =>
  key.startsWith(keys.locks) ? key.slice(0, key.lastIndexOf('/') + 1) + 'any' : key;

export const MUTANTS: Readonly<Record<string, Mutation>> = {
  'the leader writes without comparing the office': withoutCompare(
    ({ key, to }) => key === keys.leader && to !== 0,
  ),
  'the cursor moves without comparing itself': withoutCompare(({ key }) => key === keys.cursor),
  'a claim does not compare the firing': withoutCompare((compare, txn) => isClaim(txn) && isFiring(compare)),
  'a claim compares neither lock nor firing': withoutCompare(
    (compare, txn) => isClaim(txn) && (isFiring(compare) || isLock(compare)),
  ),
  'a claim does not compare the job': withoutCompare(
    ({ key }, txn) => isClaim(txn) && key.startsWith(keys.jobs),
  ),
  'a claim does not compare the slot': withoutCompare(({ key }) => key.startsWith(keys.slots)),
  'a claim does not compare the count of runs': withoutCompare(({ key }) => key.startsWith(keys.counts)),
  'nobody minds a startDeadline': readingJobs(({ startDeadline: _, ...job }) => job),
  'what is claimed is not counted': withoutOperation(({ key }) => key.startsWith(keys.counts)),
  'limits are taken for larger than they are': reading(keys.limits, ({ size }) => ({
    size: Number(size) + 1,
  })),
  'slots of limits are not given back': withoutOperation(
    (operation) => operation.type === 'delete' && operation.key.startsWith(keys.limitSlots),
  ),
  'a run is replaced whatever became of it': rewriting((txn) =>
    txn.success.some(({ type, key }) => type === 'put' && key.startsWith(keys.kills))
      ? { ...txn, compare: [] }
      : txn,
  ),
  'who waits is not marked': withValues(keys.firings, ({ waiting: _, ...firing }) => firing),
  'a queue knows no bound': readingJobs(({ overlap, ...job }) => ({
    ...job,
    overlap: typeof overlap === 'object' ? { ...overlap, limit: 1_000 } : overlap,
  })),
  'more of a job run than may': readingJobs((job) =>
    typeof job.maxConcurrent === 'number' ? { ...job, maxConcurrent: job.maxConcurrent + 1 } : job,
  ),
  'an end does not compare the lock': withoutCompare((compare) => isLock(compare) && compare.to !== 0),
  'the lock is per job': rewriting((txn) => ({
    ...txn,
    compare: txn.compare.map((compare) => ({ ...compare, key: lockOfJob(compare.key) })),
    success: txn.success.map((operation) => ({ ...operation, key: lockOfJob(operation.key) })),
  })),
  'the lock has no lease': rewriting((txn) => ({
    ...txn,
    success: txn.success.map((operation) =>
      operation.type === 'put' && isLock(operation) ? { ...operation, leaseId: '0' } : operation,
    ),
  })),
  'a watch goes on one revision too late': { store: losingEvents },
  'events that come again are taken for new ones': { store: repeatingEvents },
  'nobody minds a clock that is off': { options: { maxClockSkewMs: Infinity } },
  'a run record is not written': withoutOperation(
    (operation) => operation.type === 'put' && operation.key.startsWith(keys.runs),
  ),
  'an ended firing stays': withoutOperation(
    (operation) => operation.type === 'delete' && isFiring(operation),
  ),
  'a slot is not given back': withoutOperation(
    (operation) => operation.type === 'delete' && operation.key.startsWith(keys.slots),
  ),
  'a retry is not put off': withValues(keys.firings, ({ notBefore: _, ...firing }) => firing),
  'attempts are not counted': withValues(keys.firings, (firing) => ({ ...firing, attempt: 1 })),
  'a missed range begins one late': withValues(keys.runs, (record) => {
    const missed = record.missed as { from: string; through: string; count: number } | null;
    if (missed === null || missed.count < 2) return record;
    return { ...record, missed: { ...missed, from: new Date(Date.parse(missed.from) + 1).toISOString() } };
  }),
  'the cursor runs ahead of what was planned': withValues(keys.cursor, (cursor) => {
    const { due, job } = cursor.plannedThrough as { due: string; job: string | null };
    return {
      ...cursor,
      plannedThrough: { due: new Date(Date.parse(due) + 3_000).toISOString(), job },
    };
  }),
  'a lease is trusted for ever': { store: renewsAlways },
  'processes of a frozen worker live on': { withoutWatchdog: true },
  'a node starts what is due half a second early': {
    clock: (clock) => ({
      now: () => clock.now() + 500,
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, callback) => clock.setTimer(delayMs, callback),
    }),
  },
  'a worker takes more than it has room for': { options: { capacity: 1_000 } },
  'whom a firing is for does not count': withValues(keys.firings, (firing) => {
    const only = firing.only as { worker: string } | undefined;
    return only === undefined ? firing : { ...firing, only: { ...only, worker: 'n1' } };
  }),
};
