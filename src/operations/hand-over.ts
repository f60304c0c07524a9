import { EtcronError } from '../errors.js';
import { leaderRecordSchema, type LeaderRecord } from '../election/leader-record.js';
import { Mirror } from '../etcd/mirror.js';
import { decodeRecord, encodeRecord } from '../etcd/record.js';
import { singleKey, type KeyValue } from '../etcd/store.js';
import { createdAt, put } from '../etcd/txn.js';
import { quote } from '../jobs/index.js';
import { silentLogger } from '../telemetry/logger.js';
import { shortDuration } from '../time-text.js';
import { isActive } from '../view/eligibility.js';
import { handoverRecordSchema } from '../view/handover-record.js';
import type { OperationContext } from './context.js';
import { listWorkers, workerNotFound } from './workers.js';

export interface Office {
  readonly leader: LeaderRecord;
  /** The create revision of the leader key. */
  readonly term: number;
}

/**
 * Asks the leader to give its office up, to the worker named `to` or to whichever is first. Resolves with the present leader;
 * `waitForNextLeader` waits for the next one. Rejects with ETCRON_CONFLICT when nobody leads, or nobody else could, and with
 * ETCRON_WORKER_NOT_FOUND.
 */
export async function handOver(
  context: OperationContext,
  { to }: { readonly to?: string } = {},
): Promise<Office> {
  const { store, keys, clock, actor } = context;
  const office = officeOf((await store.range(singleKey(keys.leader))).kvs[0]);
  if (office === null) {
    throw new EtcronError('ETCRON_CONFLICT', 'nobody leads now, so there is nothing to hand over', {
      hint: 'A worker takes the lead by itself; see "etcron status".',
    });
  }
  const workers = await listWorkers(context);
  const { nodeId } = office.leader;
  const able = workers.filter((worker) => worker.nodeId !== nodeId && isActive(worker.value));
  if (to === undefined && able.length === 0) throw nobodyElse(office.leader);
  if (to !== undefined && !able.some(({ value }) => value.name === to)) {
    if (!workers.some(({ value }) => value.name === to)) throw workerNotFound(to, workers);
    if (office.leader.name === to) {
      throw new EtcronError('ETCRON_CONFLICT', `${quote(to)} leads already`, { details: { leader: nodeId } });
    }
    throw new EtcronError('ETCRON_CONFLICT', `${quote(to)} cannot lead now: it drains, or its clock is off`, {
      hint: 'See "etcron workers".',
    });
  }
  const request = encodeRecord(handoverRecordSchema, { by: actor.name, at: clock.now(), to: to ?? null });
  const { succeeded } = await store.txn({
    compare: [createdAt(keys.leader, office.term)],
    success: [put(keys.handover, request)],
  });
  if (succeeded) return office;
  throw new EtcronError('ETCRON_CONFLICT', 'the leader changed in this very moment', {
    hint: 'See "etcron status" for who leads now.',
  });
}

/** Resolves with whoever leads after the term. Rejects with ETCRON_WAIT_TIMEOUT. */
export async function waitForNextLeader(
  { store, keys, clock }: OperationContext,
  term: number,
  { timeoutMs }: { readonly timeoutMs: number },
): Promise<Office> {
  const mirror = new Mirror(store, singleKey(keys.leader), { clock, log: silentLogger(), name: 'leader' });
  let timer = null;
  try {
    await mirror.start();
    return await new Promise<Office>((resolve, reject) => {
      const check = (): void => {
        const office = officeOf(mirror.get(keys.leader));
        if (office !== null && office.term > term) resolve(office);
      };
      timer = clock.setTimer(timeoutMs, () => reject(noNextLeader(timeoutMs)));
      mirror.onChange(check);
      check();
    });
  } finally {
    (timer as ReturnType<typeof clock.setTimer> | null)?.cancel();
    await mirror.stop();
  }
}

function officeOf(kv: KeyValue | undefined): Office | null {
  const decoded = kv && kv.leaseId !== null ? decodeRecord(leaderRecordSchema, kv) : null;
  return decoded?.ok ? { leader: decoded.value, term: kv!.createRevision } : null;
}

function nobodyElse({ name }: LeaderRecord): EtcronError {
  return new EtcronError(
    'ETCRON_CONFLICT',
    `nobody else can lead: ${quote(name)} is the only active worker`,
    {
      hint: 'Start another worker, or let a drained one take runs again.',
    },
  );
}

function noNextLeader(timeoutMs: number): EtcronError {
  return new EtcronError('ETCRON_WAIT_TIMEOUT', `nobody else leads after ${shortDuration(timeoutMs)}`, {
    hint: 'The request stands until the leader has heard of it; see "etcron status".',
    details: { timeoutMs },
  });
}
