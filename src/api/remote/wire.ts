/**
 * How a `Store` is spoken to over HTTP: JSON, with values as base64, since they may be any bytes. Keys that are no UTF-8 hold lone
 * surrogates (`etcd/key-text.ts`), which JSON keeps.
 */
import { z } from 'zod';
import type {
  KeyValue,
  Operation,
  OperationResult,
  RangeResult,
  Txn,
  TxnResult,
  WatchEvent,
} from '../../etcd/store.js';

const MAX_KEY_LENGTH = 2_000;
const MAX_ENTRIES = 200;

const key = z.string().min(1).max(MAX_KEY_LENGTH);
const revision = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);
const base64 = z.codec(
  z.base64(),
  z.custom<Buffer>((value) => Buffer.isBuffer(value)),
  {
    decode: (text) => Buffer.from(text, 'base64'),
    encode: (bytes) => bytes.toString('base64'),
  },
);

export const rangeBody = z.strictObject({
  start: key,
  end: key,
  revision: revision.optional(),
  limit: z.number().int().positive().optional(),
  keysOnly: z.boolean().optional(),
  countOnly: z.boolean().optional(),
  descending: z.boolean().optional(),
  linearizable: z.boolean().optional(),
});

const compare = z.strictObject({
  key,
  target: z.enum(['create', 'mod', 'version', 'lease', 'value']),
  op: z.enum(['=', '!=', '<', '>']),
  to: z.union([z.number(), z.string()]),
});

const operation = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('put'), key, value: base64 }),
  z.strictObject({ type: z.literal('delete'), key, end: key.optional() }),
  z.strictObject({
    type: z.literal('get'),
    key,
    end: key.optional(),
    limit: z.number().int().positive().optional(),
    keysOnly: z.boolean().optional(),
  }),
]);

export const txnBody = z.strictObject({
  compare: z.array(compare).max(MAX_ENTRIES),
  success: z.array(operation).max(MAX_ENTRIES),
  failure: z.array(operation).max(MAX_ENTRIES).optional(),
});

export const watchBody = z.strictObject({ start: key, end: key, fromRevision: revision.positive() });

/** What the server says of itself, and of who asks. */
export const storeInfo = z.object({
  prefix: z.string(),
  version: z.string(),
  actor: z.object({ name: z.string(), role: z.string() }),
});

export type StoreInfo = z.output<typeof storeInfo>;

interface WireKeyValue extends Omit<KeyValue, 'value'> {
  /** Base64. */
  readonly value: string;
}

type WireResult =
  Exclude<OperationResult, { type: 'get' }> | { readonly type: 'get'; readonly kvs: readonly WireKeyValue[] };

export type WireRange = Omit<RangeResult, 'kvs'> & { readonly kvs: readonly WireKeyValue[] };
export type WireTxnResult = Omit<TxnResult, 'results'> & { readonly results: readonly WireResult[] };

/** One line of the answer to a watch. An empty line says that the connection lives. */
export type WatchLine =
  | { readonly connected: boolean }
  | { readonly events: readonly WireEvent[] }
  /** A problem document. */
  | { readonly lost: unknown };

type WireEvent = Exclude<WatchEvent, { type: 'put' }> | { readonly type: 'put'; readonly kv: WireKeyValue };

const toWire = (kv: KeyValue): WireKeyValue => ({ ...kv, value: kv.value.toString('base64') });
const fromWire = (kv: WireKeyValue): KeyValue => ({ ...kv, value: Buffer.from(kv.value, 'base64') });

export const rangeToWire = (result: RangeResult): WireRange => ({ ...result, kvs: result.kvs.map(toWire) });
export const rangeFromWire = (wire: WireRange): RangeResult => ({ ...wire, kvs: wire.kvs.map(fromWire) });

export function resultToWire(result: TxnResult): WireTxnResult {
  const results = result.results.map((one) =>
    one.type === 'get' ? { ...one, kvs: one.kvs.map(toWire) } : one,
  );
  return { ...result, results };
}

export function resultFromWire(wire: WireTxnResult): TxnResult {
  const results = wire.results.map((one) =>
    one.type === 'get' ? { ...one, kvs: one.kvs.map(fromWire) } : one,
  );
  return { ...wire, results };
}

export function txnToWire({ compare: compares, success, failure }: Txn): unknown {
  const encode = (one: Operation): unknown =>
    one.type === 'put' ? { ...one, value: Buffer.from(one.value).toString('base64') } : one;
  return {
    compare: compares,
    success: success.map(encode),
    ...(failure === undefined ? {} : { failure: failure.map(encode) }),
  };
}

export function eventsToWire(events: readonly WatchEvent[]): WireEvent[] {
  return events.map((event) => (event.type === 'put' ? { type: 'put', kv: toWire(event.kv) } : event));
}

export function eventsFromWire(events: readonly WireEvent[]): WatchEvent[] {
  return events.map((event) => (event.type === 'put' ? { type: 'put', kv: fromWire(event.kv) } : event));
}
