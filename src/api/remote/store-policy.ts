/**
 * What the holder of a token may do through the store routes: no more than through all others, whatever transactions a client
 * makes up.
 *
 * - Everybody reads what lies under the prefix, but for `access/`; an operator reads the audit record, too, and an admin the tokens
 *   (their hashes).
 * - An operator writes what asks for something: kill requests, runs by hand, drains, hand-overs, and a pause or its end, which
 *   is a definition that differs in nothing else from the one that is there.
 * - An admin also writes definitions, what set of files they belong to, limits and tokens.
 * - Nobody writes what workers write (leader, cursor, workers, locks, slots, records, counts), nor a key with a lease, nor where
 *   a compare failed; nobody deletes ranges.
 *
 * Every value that is written must be one that etcron reads, and say truly who asks.
 */
import { decodeMark } from '../../apply/job-sets.js';
import { EtcronError } from '../../errors.js';
import { parseRunId, type Keys } from '../../etcd/keys.js';
import { encodeKey } from '../../etcd/key-text.js';
import { decodeRecord, type Decoded } from '../../etcd/record.js';
import {
  prefixRange,
  singleKey,
  type Compare,
  type KeyRange,
  type KeyValue,
  type Operation,
  type Store,
  type Txn,
} from '../../etcd/store.js';
import { checkJobName, parseJobValue, printable, serializeDefinition } from '../../jobs/index.js';
import { includesRole, type Actor, type Role } from '../../operations/actor.js';
import { invalidJob } from '../../operations/put-job.js';
import { decodeToken } from '../../operations/tokens/token-record.js';
import { drainRecordSchema } from '../../view/drain-record.js';
import { decodeFiring, type FiringRecord } from '../../view/firing-record.js';
import { handoverRecordSchema } from '../../view/handover-record.js';
import { killRecordSchema } from '../../view/kill-record.js';
import { decodeLimit } from '../../view/limit-record.js';

type Put = Extract<Operation, { type: 'put' }>;
type Write = Put | Extract<Operation, { type: 'delete' }>;

export interface PolicyContext {
  readonly store: Store;
  readonly keys: Keys;
  readonly actor: Actor;
}

/** Throws ETCRON_AUTH_FORBIDDEN for a range that the actor may not read. */
export function assertReadable({ keys, actor }: Omit<PolicyContext, 'store'>, range: KeyRange): void {
  const under = prefixRange(`${keys.prefix}/`);
  // To etcd an end of one zero byte means all keys from the start on: only an end below the prefix, or its own, will do.
  const isUnderPrefix =
    range.start.startsWith(under.start) && (range.end.startsWith(under.start) || range.end === under.end);
  if (!isUnderPrefix) throw forbidden(actor, `may read nothing outside of ${under.start}`);
  const access = prefixRange(keys.access);
  if (isNotBehind(range.end, access.start) || isNotBehind(access.end, range.start)) return;
  const isWithin = (prefix: string): boolean =>
    range.start.startsWith(prefix) && isNotBehind(range.end, prefixRange(prefix).end);
  if (isWithin(keys.audit) && includesRole(actor.role, 'operator')) return;
  if (isWithin(keys.tokens) && includesRole(actor.role, 'admin')) return;
  throw forbidden(actor, `may not read ${printable(range.start)}`);
}

/** Throws ETCRON_AUTH_FORBIDDEN, ETCRON_REQUEST_INVALID or ETCRON_JOB_INVALID for a transaction that the actor may not make. */
export async function assertPermitted(context: PolicyContext, txn: Txn): Promise<void> {
  const { compare, success, failure = [] } = txn;
  for (const { key } of compare) assertReadable(context, singleKey(key));
  for (const operation of [...success, ...failure]) {
    if (operation.type !== 'get') continue;
    const range =
      operation.end === undefined ? singleKey(operation.key) : { start: operation.key, end: operation.end };
    assertReadable(context, range);
  }
  if (failure.some(({ type }) => type !== 'get'))
    throw invalid('writes where a compare failed are not taken');
  if (success.some((operation) => operation.type === 'delete' && operation.end !== undefined))
    throw invalid('deletes of ranges are not taken');
  for (const operation of success)
    if (operation.type !== 'get') await assertWritable(context, operation, txn);
}

async function assertWritable(context: PolicyContext, write: Write, txn: Txn): Promise<void> {
  const { keys } = context;
  const { key } = write;
  const need = (role: Role, what: string): void => needRole(context, role, what);
  if (key.startsWith(keys.jobs)) return assertJob(context, write, txn);
  if (key.startsWith(keys.sets)) {
    need('admin', 'say which set of files manages a job');
    if (write.type === 'put' && decodeMark(asKeyValue(write)).set === null)
      throw invalid(`${key}: no mark of a set`);
    return;
  }
  if (key.startsWith(keys.limits)) {
    need('admin', 'change limits');
    return assertName(write, key.slice(keys.limits.length), () => {
      const { problem } = decodeLimit(asKeyValue(write as Put));
      return problem === null ? { ok: true, value: null } : { ok: false, problem };
    });
  }
  if (key.startsWith(keys.tokens)) {
    need('admin', 'change tokens');
    if (write.type === 'put') {
      const { createdBy } = assertDecodes(key, decodeToken(asKeyValue(write)));
      if (createdBy !== context.actor.name) throw wrongName(context.actor);
    }
    return;
  }
  if (key.startsWith(keys.kills)) return assertKill(context, write, txn);
  if (key.startsWith(keys.firings)) return assertRun(context, write, txn);
  if (key.startsWith(keys.drains)) {
    need('operator', 'drain workers');
    if (write.type === 'put')
      assertBy(context, assertDecodes(key, decodeRecord(drainRecordSchema, asKeyValue(write))));
    return;
  }
  if (key === keys.handover) {
    need('operator', 'hand the leadership over');
    if (write.type !== 'put') throw invalid('a hand-over is not taken back');
    assertBy(context, assertDecodes(key, decodeRecord(handoverRecordSchema, asKeyValue(write))));
    return assertCompares(txn, keys.leader, 'create', '=');
  }
  throw forbidden(context.actor, `may not write ${printable(key)}: nobody may through this API`);
}

/** A definition; an operator may change nothing of one but its pause. */
async function assertJob(context: PolicyContext, write: Write, txn: Txn): Promise<void> {
  const { store, keys, actor } = context;
  const name = write.key.slice(keys.jobs.length);
  if (write.type === 'delete') return needRole(context, 'admin', 'delete jobs');
  const problem = checkJobName(name);
  if (problem !== null) throw invalid(`${printable(write.key)}: ${problem.message}`);
  const parsed = parseJobValue(name, bytesOf(write));
  if (!parsed.ok) throw invalidJob(name, parsed.problems);
  if (includesRole(actor.role, 'admin')) return;
  needRole(context, 'operator', 'pause jobs');
  const seen = txn.compare.find(
    ({ key, target, op }) => key === write.key && target === 'mod' && op === '=',
  )?.to;
  const [before] = (await store.range(singleKey(write.key))).kvs;
  // It was changed meanwhile: the transaction will do nothing.
  if (before && typeof seen === 'number' && seen > 0 && seen < before.modRevision) return;
  const known = before && parseJobValue(name, before.value);
  const isSame =
    known?.ok === true &&
    seen === before?.modRevision &&
    serializeDefinition({ ...known.definition, paused: true }) ===
      serializeDefinition({ ...parsed.definition, paused: true });
  if (!isSame) throw forbidden(actor, 'may pause and resume jobs, and change nothing else of them');
}

function assertKill(context: PolicyContext, write: Write, txn: Txn): void {
  const { keys } = context;
  needRole(context, 'operator', 'end runs');
  const runId = write.key.slice(keys.kills.length);
  if (write.type !== 'put' || parseRunId(runId) === null)
    throw invalid(`${printable(write.key)}: no request to end a run`);
  assertBy(context, assertDecodes(write.key, decodeRecord(killRecordSchema, asKeyValue(write))));
  assertCompares(txn, keys.firings + runId, 'create', '!=', 0);
}

/** A run by hand, as it is before anybody has touched it. */
function assertRun(context: PolicyContext, write: Write, txn: Txn): void {
  const { keys, actor } = context;
  needRole(context, 'operator', 'run jobs');
  const id = parseRunId(write.key.slice(keys.firings.length));
  if (write.type !== 'put' || id === null || id.suffix === null)
    throw invalid(`${printable(write.key)}: no run by hand`);
  const firing = assertDecodes(write.key, decodeFiring(asKeyValue(write)));
  if (!isUntouched(firing)) throw invalid(`${printable(write.key)}: no run by hand that is still to begin`);
  if (firing.requestedBy !== actor.name) throw wrongName(actor);
  assertCompares(txn, write.key, 'create', '=', 0);
  assertCompares(txn, keys.job(id.job), 'mod', '=');
}

function isUntouched(firing: FiringRecord): boolean {
  const { origin, attempt, crashes, node, slot, limitSlots, waiting, expanded, lastWorker } = firing;
  const owned = [node, slot, limitSlots, expanded, lastWorker];
  return (
    origin === 'manual' && attempt === 0 && crashes === 0 && !waiting && owned.every((part) => part === null)
  );
}

function assertCompares(
  txn: Txn,
  key: string,
  target: Compare['target'],
  op: Compare['op'],
  to?: number,
): void {
  const isThere = txn.compare.some(
    (one) => one.key === key && one.target === target && one.op === op && (to === undefined || one.to === to),
  );
  if (!isThere) throw invalid(`the transaction does not compare ${printable(key)} (${target} ${op} …)`);
}

function assertName(write: Write, name: string, decode: () => Decoded<unknown>): void {
  const problem = checkJobName(name);
  if (problem !== null) throw invalid(`${printable(write.key)}: not a name`);
  if (write.type === 'put') assertDecodes(write.key, decode());
}

function assertDecodes<T>(key: string, decoded: Decoded<T>): T {
  if (decoded.ok) return decoded.value;
  throw invalid(`${printable(key)}: ${printable(decoded.problem)}`);
}

function assertBy({ actor }: PolicyContext, { by }: { readonly by: string | null }): void {
  if (by !== actor.name) throw wrongName(actor);
}

function needRole({ actor }: PolicyContext, role: Role, what: string): void {
  if (includesRole(actor.role, role)) return;
  throw new EtcronError(
    'ETCRON_AUTH_FORBIDDEN',
    `to ${what} needs the role ${role}, and "${actor.name}" has ${actor.role}`,
    { hint: `Use a token with the role ${role}.`, details: { role: actor.role, needed: role } },
  );
}

function forbidden(actor: Actor, what: string): EtcronError {
  return new EtcronError('ETCRON_AUTH_FORBIDDEN', `"${actor.name}" (${actor.role}) ${what}`, {
    hint: 'Use a token with a role that may.',
    details: { role: actor.role },
  });
}

function invalid(message: string): EtcronError {
  return new EtcronError('ETCRON_REQUEST_INVALID', message);
}

function wrongName(actor: Actor): EtcronError {
  return invalid(`what is written names another one than "${actor.name}", who asks`);
}

function bytesOf({ value }: Put): Buffer {
  return typeof value === 'string' ? Buffer.from(value) : value;
}

function asKeyValue(write: Put): KeyValue {
  const { key } = write;
  return { key, value: bytesOf(write), createRevision: 0, modRevision: 0, version: 0, leaseId: null };
}

/** `a <= b` as etcd orders keys. */
function isNotBehind(a: string, b: string): boolean {
  return Buffer.compare(encodeKey(a), encodeKey(b)) <= 0;
}
