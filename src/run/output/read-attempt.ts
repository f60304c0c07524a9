/**
 * Reads what an attempt has written, from any place, once or for as long as it goes on.
 *
 * Offsets count the bytes of what was asked for, a stream or both together, from the beginning of the attempt, whatever of it
 * is kept: they stay the same while the middle of a long output goes away. What is missing is said where it was.
 */
import { open, type FileHandle } from 'node:fs/promises';
import { sleep, type Clock } from '../../clock.js';
import { FrameReader, type Frame, type StreamBytes, type StreamName } from './frames.js';
import { nextPart, type StoredAttempt, type StoredPart } from './stored-attempts.js';

export type StreamChoice = StreamName | 'both';

export type OutputEntry =
  | {
      readonly kind: 'output';
      readonly stream: StreamName;
      readonly atMs: number;
      readonly offset: number;
      readonly bytes: Buffer;
    }
  /** So many bytes from `offset` on are not kept. */
  | { readonly kind: 'gap'; readonly offset: number; readonly bytes: number }
  /** Nothing more follows; not `complete`: its worker did not get to the end of it, or it still runs. */
  | { readonly kind: 'end'; readonly offset: number; readonly complete: boolean };

export interface ReadOptions {
  readonly stream: StreamChoice;
  /** Of the first byte; negative: so many bytes before the present end. */
  readonly offset: number;
  /** At most so many bytes. Null: all. */
  readonly limit: number | null;
  /** Null: what there is now. */
  readonly follow: FollowOptions | null;
}

export interface FollowOptions {
  readonly clock: Clock;
  /** Whether nobody writes any more, so that there will be no end. Asked about once a second. */
  readonly isOver: () => Promise<boolean>;
  readonly signal: AbortSignal;
}

const READ_BYTES = 128 * 1024;
/** How often a file is looked at that grows, and one that has not grown for a while. */
const FIRST_POLL_MS = 50;
const LAST_POLL_MS = 400;
const ASK_EVERY_MS = 1_000;

/** Ends after an `end`, or at the limit. Rejects with the signal's reason, and where a file cannot be read. */
export async function* readAttempt(
  { parts, total }: StoredAttempt,
  options: ReadOptions,
): AsyncGenerator<OutputEntry> {
  const of = (bytes: StreamBytes): number => chosen(bytes, options.stream);
  const offset = options.offset < 0 ? Math.max(0, of(total) + options.offset) : options.offset;
  const view = new View(options.stream, offset, options.limit ?? Infinity);
  const first = parts.findLast(({ from }) => of(from) <= offset) ?? parts[0];
  let complete = false;
  for (let part: StoredPart | null = first ?? null; part !== null && !view.isDone;) {
    yield* view.startAt(part.from);
    const found: { next: StoredPart | null } = { next: null };
    for await (const frame of framesOf(part, options.follow, found)) {
      if (frame.kind === 'end') complete = true;
      yield* view.take(frame);
      if (view.isDone) return;
    }
    if (complete) break;
    part = found.next ?? (await nextPart(part));
  }
  if (!view.isDone) yield { kind: 'end', offset: view.position, complete };
}

export function chosen({ stdout, stderr }: StreamBytes, stream: StreamChoice): number {
  return stream === 'both' ? stdout + stderr : stream === 'stdout' ? stdout : stderr;
}

/** What is asked for, of what passes by. */
class View {
  readonly #stream: StreamChoice;
  readonly #from: number;
  #left: number;
  #position = 0;

  constructor(stream: StreamChoice, from: number, limit: number) {
    this.#stream = stream;
    this.#from = from;
    this.#left = limit;
  }

  get position(): number {
    return Math.max(this.#position, this.#from);
  }

  get isDone(): boolean {
    return this.#left <= 0;
  }

  /** A part begins here: what lies before it and was not seen is not kept. */
  *startAt(from: StreamBytes): Generator<OutputEntry> {
    const start = chosen(from, this.#stream);
    if (start > this.#position) yield* this.#gap(start - this.#position);
  }

  *take(frame: Frame): Generator<OutputEntry> {
    if (frame.kind === 'gap') yield* this.#gap(chosen(frame.facts, this.#stream));
    else if (frame.kind === 'stdout' || frame.kind === 'stderr') yield* this.#output(frame);
  }

  *#output(frame: Frame & { kind: StreamName }): Generator<OutputEntry> {
    const { kind: stream, atMs, bytes } = frame;
    if (this.#stream !== 'both' && this.#stream !== stream) return;
    const skip = Math.max(0, this.#from - this.#position);
    const offset = this.#position + skip;
    this.#position += bytes.length;
    if (skip >= bytes.length) return;
    const wanted = bytes.subarray(skip, Math.min(bytes.length, skip + this.#left));
    this.#left -= wanted.length;
    yield { kind: 'output', stream, atMs, offset, bytes: wanted };
  }

  *#gap(bytes: number): Generator<OutputEntry> {
    if (bytes === 0) return;
    const offset = this.position;
    this.#position += bytes;
    if (this.#position > offset) yield { kind: 'gap', offset, bytes: this.#position - offset };
  }
}

/** All frames of a part; `found.next` is the one after it, where it was seen already. */
async function* framesOf(
  part: StoredPart,
  follow: FollowOptions | null,
  found: { next: StoredPart | null },
): AsyncGenerator<Frame> {
  const file = await open(part.path).catch(() => null);
  // It went away for a later one.
  if (file === null) return;
  try {
    const cursor = { file, at: 0, reader: new FrameReader() };
    const wait = follow && new Waiting(follow);
    for (;;) {
      const before = cursor.at;
      for await (const frame of newFrames(cursor)) {
        yield frame;
        if (frame.kind === 'end') return;
      }
      if (cursor.reader.isDamaged) return;
      if (wait === null) break;
      if (cursor.at > before) wait.sawSomething();
      if (found.next !== null || wait.isOver) break;
      // Whatever is written before the next part begins, or before it is over, is there once that is known.
      found.next = await nextPart(part);
      if (found.next === null) await wait.ask();
      if (found.next === null && !wait.isOver) await wait.pause();
    }
    const rest = cursor.reader.rest();
    if (rest !== null) yield rest;
  } finally {
    await file.close().catch(() => undefined);
  }
}

async function* newFrames(cursor: {
  file: FileHandle;
  at: number;
  reader: FrameReader;
}): AsyncGenerator<Frame> {
  for (;;) {
    const { buffer, bytesRead } = await cursor.file.read(
      Buffer.allocUnsafe(READ_BYTES),
      0,
      READ_BYTES,
      cursor.at,
    );
    if (bytesRead === 0) return;
    cursor.at += bytesRead;
    yield* cursor.reader.push(buffer.subarray(0, bytesRead));
  }
}

/** Looks seldom where little happens. */
export class Waiting {
  isOver = false;
  readonly #follow: FollowOptions;
  #pollMs = FIRST_POLL_MS;
  #askedAtMs: number;

  constructor(follow: FollowOptions) {
    this.#follow = follow;
    this.#askedAtMs = follow.clock.monotonicMs();
  }

  sawSomething(): void {
    this.#pollMs = FIRST_POLL_MS;
  }

  async ask(): Promise<void> {
    const { clock, isOver } = this.#follow;
    if (clock.monotonicMs() - this.#askedAtMs < ASK_EVERY_MS) return;
    this.#askedAtMs = clock.monotonicMs();
    this.isOver = await isOver();
  }

  async pause(): Promise<void> {
    const { clock, signal } = this.#follow;
    await sleep(clock, this.#pollMs, signal);
    this.#pollMs = Math.min(LAST_POLL_MS, this.#pollMs * 1.5);
  }
}
