/** Our own reading and writing of etcd's messages, against the generated code for the same messages. */
import { credentials } from '@grpc/grpc-js';
import { Host } from 'etcd3/lib/connection-pool.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StoreError } from '../../src/etcd/store-error.js';
import type { Compare, KeyValue, Operation, RangeOptions, Txn, WatchEvent } from '../../src/etcd/store.js';
import { RANGE, TXN, WATCH } from '../../src/etcd/wire.js';

/** What the generated code knows of a call. */
interface Generated {
  requestDeserialize(bytes: Buffer): unknown;
  requestSerialize(message: unknown): Buffer;
  responseSerialize(message: unknown): Buffer;
}

const host = new Host('127.0.0.1:1', credentials.createInsecure(), {});
const generated = (service: 'KV' | 'Watch', method: string): Generated =>
  (host.getServiceClient(service) as unknown as Record<string, Generated>)[method]!;
const [range, txn, watch] = [generated('KV', 'range'), generated('KV', 'txn'), generated('Watch', 'watch')];

/** As the generated code takes an object for a message. */
const normal = (call: Generated, message: unknown): unknown =>
  call.requestDeserialize(call.requestSerialize(message));

const key = fc.oneof(
  fc.string({ minLength: 1 }),
  fc.string({ minLength: 1, unit: 'grapheme' }),
  // A byte that is no UTF-8.
  fc.constantFrom('a\udc80', '\udcff\udc81x'),
);
const bytesOf = (text: string): Buffer =>
  Buffer.concat(
    Array.from(text, (unit) =>
      /[\udc80-\udcff]/u.test(unit) ? Buffer.from([unit.charCodeAt(0) - 0xdc00]) : Buffer.from(unit),
    ),
  );
const isText = (text: string): boolean =>
  Buffer.from(text).toString() === text || /[\udc80-\udcff]/u.test(text);
const revision = fc.oneof(
  fc.nat(),
  fc.constantFrom(0, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
);
const leaseId = fc.oneof(
  fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String),
  fc.constantFrom('1', '127', '128', String(2n ** 53n), String(2n ** 63n - 1n)),
);
const value = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));

const compare: fc.Arbitrary<Compare> = fc.oneof(
  fc.record({
    key,
    target: fc.constantFrom('create', 'mod', 'version'),
    op: fc.constantFrom('=', '!=', '<', '>'),
    to: revision,
  }),
  fc.record({ key, target: fc.constant('lease' as const), op: fc.constant('=' as const), to: leaseId }),
  fc.record({ key, target: fc.constant('value' as const), op: fc.constant('!=' as const), to: fc.string() }),
);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record(
    {
      type: fc.constant('put' as const),
      key,
      value: fc.oneof(value, fc.string({ unit: 'grapheme' })),
      leaseId,
    },
    { requiredKeys: ['type', 'key', 'value'] },
  ),
  fc.record({ type: fc.constant('delete' as const), key, end: key }, { requiredKeys: ['type', 'key'] }),
  fc.record(
    { type: fc.constant('get' as const), key, end: key, limit: fc.nat(), keysOnly: fc.boolean() },
    { requiredKeys: ['type', 'key'] },
  ),
);

const COMPARE_RESULTS = { '=': 'Equal', '!=': 'NotEqual', '<': 'Less', '>': 'Greater' };
const TARGETS = {
  create: ['Create', 'create_revision'],
  mod: ['Mod', 'mod_revision'],
  version: ['Version', 'version'],
  lease: ['Lease', 'lease'],
  value: ['Value', 'value'],
} as const;

function asMessage({ compare: compares, success, failure = [] }: Txn): unknown {
  const operationMessage = (one: Operation): unknown => {
    const of = { key: bytesOf(one.key) };
    const end = one.type !== 'put' && one.end !== undefined ? { range_end: bytesOf(one.end) } : {};
    if (one.type === 'put')
      return { request_put: { ...of, value: Buffer.from(one.value), lease: one.leaseId ?? 0 } };
    if (one.type === 'delete') return { request_delete_range: { ...of, ...end } };
    return { request_range: { ...of, ...end, limit: one.limit ?? 0, keys_only: one.keysOnly ?? false } };
  };
  return {
    compare: compares.map(({ key: of, target, op, to }) => ({
      ...{ key: bytesOf(of), result: COMPARE_RESULTS[op], target: TARGETS[target][0] },
      [TARGETS[target][1]]: target === 'value' ? Buffer.from(String(to)) : to,
    })),
    success: success.map(operationMessage),
    failure: failure.map(operationMessage),
  };
}

const kv: fc.Arbitrary<KeyValue> = fc.record({
  ...{ key, value, createRevision: revision, modRevision: revision, version: revision },
  leaseId: fc.option(leaseId),
});
const kvMessage = (one: KeyValue): unknown => ({
  ...{ key: bytesOf(one.key), value: one.value, version: one.version, lease: one.leaseId ?? 0 },
  ...{ create_revision: one.createRevision, mod_revision: one.modRevision },
});
const header = (at: number): unknown => ({ cluster_id: '18446744073709551615', revision: at, raft_term: 3 });

describe('what is written to etcd', () => {
  it('is a transaction as the generated code writes it', () => {
    fc.assert(
      fc.property(
        fc.array(compare, { maxLength: 20 }),
        fc.array(operation, { maxLength: 20 }),
        fc.option(fc.array(operation, { maxLength: 20 }), { nil: undefined }),
        (compares, success, failure) => {
          fc.pre([...compares, ...success, ...(failure ?? [])].every((one) => isText(one.key)));
          const one: Txn = { compare: compares, success, ...(failure === undefined ? {} : { failure }) };
          expect(txn.requestDeserialize(TXN.serialize(one))).toEqual(normal(txn, asMessage(one)));
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([1, 0x7f, 0x80, 0x3fff, 0x4000, 0x1f_ff00, 0x20_0000, 0x40_0001])(
    'is complete with a value of %i bytes',
    (length) => {
      const one: Txn = {
        compare: [],
        success: [
          { type: 'put', key: 'a', value: Buffer.alloc(length, 7) },
          { type: 'put', key: 'b', value: 'x' },
        ],
      };
      const read = txn.requestDeserialize(TXN.serialize(one)) as {
        success: { request_put: { key: Buffer; value: Buffer } }[];
      };
      expect(read.success.map(({ request_put: put }) => [put.key.toString(), put.value.length])).toEqual([
        ['a', length],
        ['b', 1],
      ]);
    },
  );

  it('is a range as the generated code writes it', () => {
    const options: fc.Arbitrary<RangeOptions> = fc.record(
      {
        ...{ revision, limit: fc.nat(), keysOnly: fc.boolean(), countOnly: fc.boolean() },
        ...{ descending: fc.boolean(), linearizable: fc.boolean() },
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(key, key, options, (start, end, chosen) => {
        fc.pre(isText(start) && isText(end));
        const message = {
          ...{ key: bytesOf(start), range_end: bytesOf(end), limit: chosen.limit ?? 0 },
          ...{ revision: chosen.revision ?? 0, keys_only: chosen.keysOnly ?? false },
          ...{ count_only: chosen.countOnly ?? false, serializable: chosen.linearizable === false },
          ...(chosen.descending === true ? { sort_order: 'Descend', sort_target: 'Key' } : {}),
        };
        const written = RANGE.serialize({ range: { start, end }, options: chosen });
        expect(range.requestDeserialize(written)).toEqual(normal(range, message));
      }),
    );
  });

  it('is a watch, and a request for progress, as the generated code writes them', () => {
    const create = { range: { start: 'a/', end: 'a0' }, startRevision: 300 };
    expect(watch.requestDeserialize(WATCH.serialize({ create }))).toEqual(
      normal(watch, {
        create_request: {
          ...{ key: Buffer.from('a/'), range_end: Buffer.from('a0'), start_revision: 300 },
          ...{ progress_notify: true, fragment: true },
        },
      }),
    );
    expect(watch.requestDeserialize(WATCH.serialize('progress'))).toEqual(
      normal(watch, { progress_request: {} }),
    );
  });
});

describe('what is read from etcd', () => {
  it('are the keys and values of a range', () => {
    fc.assert(
      fc.property(fc.array(kv), revision, fc.boolean(), revision, (kvs, at, more, count) => {
        fc.pre(kvs.every((one) => isText(one.key)));
        const bytes = range.responseSerialize({ header: header(at), kvs: kvs.map(kvMessage), more, count });
        expect(RANGE.deserialize(bytes)).toEqual({ revision: at, kvs, more, count });
      }),
    );
  });

  it('are the results of a transaction, one for each operation', () => {
    fc.assert(
      fc.property(fc.array(kv), revision, fc.boolean(), fc.nat(), (kvs, at, succeeded, deleted) => {
        fc.pre(kvs.every((one) => isText(one.key)));
        const responses = [
          { response_put: { header: header(at), prev_kv: { key: Buffer.from('before'), lease: 5 } } },
          { response_range: { kvs: kvs.map(kvMessage) } },
          { response_delete_range: { header: header(at), deleted, prev_kvs: kvs.map(kvMessage) } },
          { response_range: {} },
        ];
        expect(TXN.deserialize(txn.responseSerialize({ header: header(at), succeeded, responses }))).toEqual({
          ...{ succeeded, revision: at },
          results: [
            { type: 'put' },
            { type: 'get', kvs },
            { type: 'delete', deleted },
            { type: 'get', kvs: [] },
          ],
        });
      }),
    );
  });

  it('are the events of a watch', () => {
    const event: fc.Arbitrary<WatchEvent> = fc.oneof(
      kv.map((one) => ({ type: 'put' as const, kv: one })),
      kv.map((one) => ({ type: 'delete' as const, key: one.key, modRevision: one.modRevision })),
    );
    fc.assert(
      fc.property(fc.array(event), revision, fc.boolean(), (events, at, fragment) => {
        fc.pre(events.every((one) => isText(one.type === 'put' ? one.kv.key : one.key)));
        const message = {
          ...{ header: header(at), watch_id: 0, fragment },
          events: events.map((one) =>
            one.type === 'put'
              ? { type: 'Put', kv: kvMessage(one.kv) }
              : { type: 'Delete', kv: { key: bytesOf(one.key), mod_revision: one.modRevision } },
          ),
        };
        expect(WATCH.deserialize(watch.responseSerialize(message))).toMatchObject({
          ...{ revision: at, watchId: 0, events, fragment, created: false, canceled: false },
        });
      }),
    );
  });

  it('is why a watch was cancelled, and to which watch an answer belongs', () => {
    const message = { watch_id: '-1', canceled: true, compact_revision: 77, cancel_reason: 'böse' };
    expect(WATCH.deserialize(watch.responseSerialize(message))).toMatchObject({
      ...{ watchId: -1, canceled: true, compactRevision: 77, cancelReason: 'böse', created: false },
    });
  });

  it('is refused when a revision is too large for a number', () => {
    const bytes = range.responseSerialize({ header: header(5), kvs: [{ mod_revision: '9007199254740993' }] });
    expect(RANGE.deserialize(bytes)).toMatchObject({
      code: 'ETCRON_ETCD_REFUSED',
      message: 'etcd answered with 9007199254740993, which is too large for a revision',
    });
  });

  it('is refused when it is damaged, and never anything else', () => {
    const whole = range.responseSerialize({
      header: header(5),
      kvs: [{ key: Buffer.from('k'), version: 3 }],
    });
    const isFine = (answer: unknown): boolean =>
      answer instanceof StoreError || Array.isArray((answer as { kvs: unknown }).kvs);
    for (let length = 0; length <= whole.length; length += 1)
      expect(isFine(RANGE.deserialize(whole.subarray(0, length)))).toBe(true);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(isFine(RANGE.deserialize(Buffer.from(bytes)))).toBe(true);
        const answer = WATCH.deserialize(Buffer.from(bytes));
        expect(answer instanceof StoreError || Array.isArray(answer.events)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
