/**
 * Reading and writing the JSON values that etcron keeps in etcd. Whoever can write to etcd can write nonsense: a value
 * that does not decode is a finding to report, never an exception that stops a node.
 *
 * Times are ISO texts with milliseconds in etcd, for people who look with `etcdctl get`, and ms numbers in code.
 */
import { z } from 'zod';
import type { KeyValue } from './store.js';

export type Decoded<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

/** ISO text in etcd ↔ ms since the epoch in code. */
export const isoTime = z.codec(z.iso.datetime({ precision: 3 }), z.number().int(), {
  decode: (text) => Date.parse(text),
  encode: (ms) => new Date(ms).toISOString(),
});

export function isoText(ms: number): string;
export function isoText(ms: number | null): string | null;
/** The same text, for what is written too often to go through a schema. */
export function isoText(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/u;

/** The inverse; null for anything else, such as a 30th of February. */
export function isoMs(text: unknown): number | null {
  if (typeof text !== 'string' || !ISO_TIME.test(text)) return null;
  const ms = Date.parse(text);
  return Number.isNaN(ms) || isoText(ms) !== text ? null : ms;
}

/** Our own records are small; anything much larger was not written by us and is not worth parsing. */
const MAX_RECORD_BYTES = 1024 * 1024;

/** Decodes one value; says in one line what is wrong with it otherwise. */
export function decodeRecord<S extends z.ZodType>(
  schema: S,
  kv: Pick<KeyValue, 'value'>,
): Decoded<z.output<S>> {
  if (kv.value.length > MAX_RECORD_BYTES)
    return { ok: false, problem: `${kv.value.length} bytes are too many` };
  let json: unknown;
  try {
    json = JSON.parse(kv.value.toString('utf8'));
  } catch {
    return { ok: false, problem: 'not JSON' };
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issue = parsed.error.issues[0]!;
  return { ok: false, problem: `${issue.path.map(String).join('.') || 'value'}: ${issue.message}` };
}

/** The text to put into etcd. */
export function encodeRecord<S extends z.ZodType>(schema: S, value: z.output<S>): string {
  return JSON.stringify(z.encode(schema, value));
}
