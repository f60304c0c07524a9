/**
 * etcd's messages on the wire, for the calls of which there are many: transactions, ranges and watches. The others go through
 * the generated clients.
 *
 * Every node decodes three watch events per firing of the whole cluster, and encodes some ten keys and values per firing of
 * its own. The generated code goes through two generic object trees on the way, with an object for each int64, which was a
 * quarter of a worker's time under load. This writes and reads the fields that etcron uses, and skips others, as protocol
 * buffers ask for (https://protobuf.dev/programming-guides/encoding). Field numbers are those of etcd's rpc.proto and kv.proto.
 */
import { decodeKey, encodeKey, isPlainKey, isSurelyText } from './key-text.js';
import { tooLarge } from './safe-number.js';
import { StoreError } from './store-error.js';
import type {
  Compare,
  KeyRange,
  KeyValue,
  Operation,
  OperationResult,
  RangeOptions,
  RangeResult,
  Txn,
  TxnResult,
  WatchEvent,
} from './store.js';

/** A call by its path, with both of its messages. */
export interface WireMethod<Request, Answer> {
  /** For messages about it. */
  readonly name: string;
  readonly path: string;
  readonly serialize: (request: Request) => Buffer;
  /** An error is returned, since gRPC would make a text of one that is thrown. */
  readonly deserialize: (bytes: Buffer) => Answer | StoreError;
}

export interface RangeCall {
  readonly range: KeyRange;
  readonly options: RangeOptions;
}

export type WatchCall =
  { readonly create: { readonly range: KeyRange; readonly startRevision: number } } | 'progress';

export interface WatchAnswer {
  readonly revision: number;
  /** -1: it belongs to the stream, not to a watch. */
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly fragment: boolean;
  readonly events: readonly WatchEvent[];
}

export const RANGE: WireMethod<RangeCall, RangeResult> = {
  name: 'range',
  path: '/etcdserverpb.KV/Range',
  serialize: ({ range, options }) => encoded((to) => writeRange(to, range.start, range.end, options)),
  deserialize: (bytes) => decoded(() => readRange(new Reader(bytes))),
};

export const TXN: WireMethod<Txn, TxnResult> = {
  name: 'txn',
  path: '/etcdserverpb.KV/Txn',
  serialize: (txn) => encoded((to) => writeTxn(to, txn)),
  deserialize: (bytes) => decoded(() => readTxn(new Reader(bytes))),
};

export const WATCH: WireMethod<WatchCall, WatchAnswer> = {
  name: 'watch',
  path: '/etcdserverpb.Watch/Watch',
  serialize: (call) => encoded((to) => writeWatch(to, call)),
  deserialize: (bytes) => decoded(() => readWatch(new Reader(bytes))),
};

/** Stands in for -1 as etcd writes it: the ten bytes of its 64-bit two's complement. */
const STREAM_ID = -1;

// ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const VARINT = 0;
const BYTES = 2;
const FIRST_BYTES = 16 * 1024;
const KEPT_BYTES = 1024 * 1024;
/** The length of a message is written before it, when it is not known yet: room for up to 2 MiB, moved together afterwards. */
const LENGTH_ROOM = 3;
const MAX_VARINT = 10;

/** Grows as it is filled; what it made is copied out. */
class Writer {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #at = 0;

  begin(): void {
    this.#at = 0;
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafe(FIRST_BYTES);
  }

  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  #room(length: number): void {
    if (this.#at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  #varint(value: number): void {
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#at++] = rest;
  }

  number(field: number, value: number): void {
    this.#room(2 * MAX_VARINT);
    this.#varint(field * 8 + VARINT);
    this.#varint(value);
  }

  /** A decimal string: ids use all 63 bits. */
  int64(field: number, value: string): void {
    const number = Number(value);
    if (Number.isSafeInteger(number) && number >= 0) return this.number(field, number);
    this.#room(2 * MAX_VARINT);
    this.#varint(field * 8 + VARINT);
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#at++] = Number(rest);
  }

  bytes(field: number, value: Buffer): void {
    this.#room(2 * MAX_VARINT + value.length);
    this.#varint(field * 8 + BYTES);
    this.#varint(value.length);
    this.#at += value.copy(this.#bytes, this.#at);
  }

  text(field: number, value: string): void {
    const length = Buffer.byteLength(value);
    this.#room(2 * MAX_VARINT + length);
    this.#varint(field * 8 + BYTES);
    this.#varint(length);
    this.#at += this.#bytes.write(value, this.#at, 'utf8');
  }

  key(field: number, key: string): void {
    if (isPlainKey(key)) this.text(field, key);
    else this.bytes(field, encodeKey(key));
  }

  message(field: number, fill: () => void): void {
    this.#room(MAX_VARINT + LENGTH_ROOM);
    this.#varint(field * 8 + BYTES);
    const lengthAt = this.#at;
    this.#at += LENGTH_ROOM;
    fill();
    const from = lengthAt + LENGTH_ROOM;
    const length = this.#at - from;
    const taken = length < 0x80 ? 1 : length < 0x4000 ? 2 : length < 0x200000 ? 3 : 4;
    if (taken > LENGTH_ROOM) this.#room(taken - LENGTH_ROOM);
    this.#bytes.copy(this.#bytes, lengthAt + taken, from, from + length);
    this.#at = lengthAt;
    this.#varint(length);
    this.#at += length;
  }
}

const writer = new Writer();

function encoded(write: (to: Writer) => void): Buffer {
  writer.begin();
  write(writer);
  return writer.finish();
}

const RESULTS = { '=': 0, '>': 1, '<': 2, '!=': 3 } as const;
const TARGETS = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;
/** The field of the value that a target is compared with. */
const TARGET_FIELDS = { version: 4, create: 5, mod: 6, value: 7, lease: 8 } as const;

function writeTxn(to: Writer, { compare, success, failure = [] }: Txn): void {
  for (const one of compare) to.message(1, () => writeCompare(to, one));
  for (const one of success) to.message(2, () => writeOperation(to, one));
  for (const one of failure) to.message(3, () => writeOperation(to, one));
}

function writeCompare(to: Writer, { key, target, op, to: wanted }: Compare): void {
  to.number(1, RESULTS[op]);
  to.number(2, TARGETS[target]);
  to.key(3, key);
  const field = TARGET_FIELDS[target];
  if (target === 'value') to.text(field, String(wanted));
  else to.int64(field, String(wanted));
}

function writeOperation(to: Writer, operation: Operation): void {
  switch (operation.type) {
    case 'get':
      return to.message(1, () => writeRange(to, operation.key, operation.end ?? '', operation));
    case 'put':
      return to.message(2, () => {
        const { key, value, leaseId } = operation;
        to.key(1, key);
        if (typeof value === 'string') to.text(2, value);
        else to.bytes(2, value);
        if (leaseId !== undefined) to.int64(3, leaseId);
      });
    case 'delete':
      return to.message(3, () => {
        to.key(1, operation.key);
        if (operation.end !== undefined) to.key(2, operation.end);
      });
  }
}

type WrittenRangeOptions = Pick<
  RangeOptions,
  'limit' | 'revision' | 'descending' | 'linearizable' | 'keysOnly' | 'countOnly'
>;
const DESCENDING = 2;

function writeRange(to: Writer, start: string, end: string, options: WrittenRangeOptions): void {
  to.key(1, start);
  if (end !== '') to.key(2, end);
  if (options.limit !== undefined) to.number(3, options.limit);
  if (options.revision !== undefined) to.number(4, options.revision);
  // Sorted by key, which is number 0 of the targets.
  if (options.descending === true) to.number(5, DESCENDING);
  if (options.linearizable === false) to.number(7, 1);
  if (options.keysOnly === true) to.number(8, 1);
  if (options.countOnly === true) to.number(9, 1);
}

function writeWatch(to: Writer, call: WatchCall): void {
  if (call === 'progress') return to.message(3, () => undefined);
  const { range, startRevision } = call.create;
  to.message(1, () => {
    to.key(1, range.start);
    to.key(2, range.end);
    to.number(3, startRevision);
    // Progress notifications, and large revisions in fragments.
    to.number(4, 1);
    to.number(8, 1);
  });
}

// ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Walks over the fields of one message; it and those inside share the same bytes. */
class Reader {
  #at: number;
  #field = 0;
  #type = 0;

  constructor(
    readonly bytes: Buffer,
    from = 0,
    readonly end = bytes.length,
  ) {
    this.#at = from;
  }

  /** The number of the next field; 0 at the end. Its value must be read, or skipped. */
  next(): number {
    if (this.#at >= this.end) return 0;
    const tag = this.#varint();
    this.#field = Math.floor(tag / 8);
    this.#type = tag % 8;
    return this.#field;
  }

  #varint(): number {
    const { bytes } = this;
    let value = 0;
    let factor = 1;
    for (let count = 0; count < MAX_VARINT; count += 1) {
      if (this.#at >= this.end) throw damaged();
      const byte = bytes[this.#at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      factor *= 0x80;
    }
    throw damaged();
  }

  /** Refuses what a number cannot hold exactly. */
  number(): number {
    const from = this.#at;
    const value = this.#varint();
    if (Number.isSafeInteger(value)) return value;
    if (this.#int64From(from) === BigInt(STREAM_ID)) return STREAM_ID;
    throw tooLarge(this.#int64From(from));
  }

  /** As a decimal string. */
  int64(): string {
    const from = this.#at;
    const value = this.#varint();
    return Number.isSafeInteger(value) ? String(value) : String(this.#int64From(from));
  }

  #int64From(from: number): bigint {
    let value = 0n;
    for (let at = from, shift = 0n; at < this.#at; at += 1, shift += 7n)
      value |= BigInt(this.bytes[at]! & 0x7f) << shift;
    return BigInt.asIntN(64, value);
  }

  boolean(): boolean {
    return this.#varint() !== 0;
  }

  #length(): number {
    const length = this.#varint();
    if (this.#at + length > this.end) throw damaged();
    return length;
  }

  buffer(): Buffer {
    const length = this.#length();
    this.#at += length;
    return this.bytes.subarray(this.#at - length, this.#at);
  }

  key(): string {
    const length = this.#length();
    this.#at += length;
    const text = this.bytes.toString('utf8', this.#at - length, this.#at);
    return isSurelyText(text) ? text : decodeKey(this.bytes.subarray(this.#at - length, this.#at));
  }

  message(): Reader {
    const length = this.#length();
    this.#at += length;
    return new Reader(this.bytes, this.#at - length, this.#at);
  }

  skip(): void {
    if (this.#type === VARINT) this.#varint();
    else if (this.#type === BYTES) this.buffer();
    else if (this.#type === 1) this.#at += 8;
    else if (this.#type === 5) this.#at += 4;
    else throw damaged();
  }
}

function decoded<T>(read: () => T): T | StoreError {
  try {
    return read();
  } catch (error) {
    if (error instanceof StoreError) return error;
    throw error;
  }
}

function readTxn(reader: Reader): TxnResult {
  let [revision, succeeded] = [0, false];
  const results: OperationResult[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) revision = readHeader(reader.message());
    else if (field === 2) succeeded = reader.boolean();
    else if (field === 3) results.push(readOperationResult(reader.message()));
    else reader.skip();
  }
  return { succeeded, revision, results };
}

const PUT_RESULT: OperationResult = { type: 'put' };

function readOperationResult(reader: Reader): OperationResult {
  let result = PUT_RESULT;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) result = { type: 'get', kvs: readRange(reader.message()).kvs };
    else if (field === 3) result = { type: 'delete', deleted: readDeleted(reader.message()) };
    else reader.skip();
  }
  return result;
}

function readDeleted(reader: Reader): number {
  let deleted = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 2) deleted = reader.number();
    else reader.skip();
  }
  return deleted;
}

function readRange(reader: Reader): RangeResult {
  let [revision, more, count] = [0, false, 0];
  const kvs: KeyValue[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) revision = readHeader(reader.message());
    else if (field === 2) kvs.push(readKeyValue(reader.message()));
    else if (field === 3) more = reader.boolean();
    else if (field === 4) count = reader.number();
    else reader.skip();
  }
  return { revision, kvs, more, count };
}

function readHeader(reader: Reader): number {
  let revision = 0;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 3) revision = reader.number();
    else reader.skip();
  }
  return revision;
}

const NO_VALUE: Buffer = Buffer.alloc(0);

function readKeyValue(reader: Reader): KeyValue {
  let key = '';
  let value = NO_VALUE;
  let createRevision = 0;
  let modRevision = 0;
  let version = 0;
  let leaseId: string | null = null;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) key = reader.key();
    else if (field === 2) createRevision = reader.number();
    else if (field === 3) modRevision = reader.number();
    else if (field === 4) version = reader.number();
    else if (field === 5) value = reader.buffer();
    else if (field === 6) leaseId = reader.int64();
    else reader.skip();
  }
  return { key, value, createRevision, modRevision, version, leaseId: leaseId === '0' ? null : leaseId };
}

function readWatch(reader: Reader): WatchAnswer {
  let [revision, watchId, compactRevision] = [0, 0, 0];
  let [created, canceled, fragment] = [false, false, false];
  let cancelReason = '';
  const events: WatchEvent[] = [];
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) revision = readHeader(reader.message());
    else if (field === 2) watchId = reader.number();
    else if (field === 3) created = reader.boolean();
    else if (field === 4) canceled = reader.boolean();
    else if (field === 5) compactRevision = reader.number();
    else if (field === 6) cancelReason = reader.buffer().toString('utf8');
    else if (field === 7) fragment = reader.boolean();
    else if (field === 11) events.push(readEvent(reader.message()));
    else reader.skip();
  }
  return { revision, watchId, created, canceled, compactRevision, cancelReason, fragment, events };
}

function readEvent(reader: Reader): WatchEvent {
  let isDelete = false;
  let kv: KeyValue | null = null;
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) isDelete = reader.boolean();
    else if (field === 2) kv = readKeyValue(reader.message());
    else reader.skip();
  }
  if (kv === null) throw damaged();
  return isDelete ? { type: 'delete', key: kv.key, modRevision: kv.modRevision } : { type: 'put', kv };
}

function damaged(): StoreError {
  return new StoreError('ETCRON_ETCD_REFUSED', 'etcd answered with a message that is damaged', {
    maybeApplied: true,
    transient: false,
  });
}
