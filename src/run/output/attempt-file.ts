/**
 * The whole output of one attempt on disk.
 *
 *     nothing yet ──first byte──▶ open ◀──written again── failing      end(): what is left, "end", closed
 *                                  └──────cannot write──────▲
 *
 * - Most attempts write nothing: they get no file.
 * - One write is under way at a time; what comes meanwhile goes together in the next. What waits is bounded: whoever can
 *   wait asks `isFull`, and beyond twice that bytes are left out.
 * - A part has an eighth of what the attempt may keep. Where there is one too many, the oldest goes but for the first: the
 *   beginning and the end are what one looks for.
 * - No run suffers from its output: a folder that cannot be written, a full disk or one that does not answer costs bytes, and
 *   these are counted and said in the next "gap". It is tried again every few seconds.
 */
import { mkdir, open, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep, type Clock } from '../../clock.js';
import type { AttemptLog } from './attempt-log.js';
import { encodeFacts, encodeOutput, type StreamName } from './frames.js';
import { attemptName, partFile, placeOf } from './place.js';
import { MIN_PART_BYTES, type AttemptFacts } from './settings.js';

/** What waits to be written, beyond which nothing more should come. */
const FULL_BYTES = 256 * 1024;
/** Beyond which it is left out. */
const TOO_MUCH_BYTES = 8 * FULL_BYTES;
/** What a piece takes beside its bytes. */
const PIECE_BYTES = 128;
const PARTS = 8;
const TRY_AGAIN_AFTER_MS = 5_000;
/** A write that takes longer is not waited for: the disk does not answer. */
const STALLED_AFTER_MS = 5_000;

export interface AttemptFileOptions {
  readonly folder: string;
  readonly attempt: AttemptFacts;
  readonly limitBytes: number;
  readonly clock: Clock;
  /** Wall clock, ms. */
  readonly now: () => number;
  /** Something is not kept. Called with each failure. */
  readonly onFailure: (error: unknown) => void;
  /** It was written again, or for the first time. */
  readonly onWritten: () => void;
}

type Counts = Record<StreamName, number>;

/** What waits: bytes, or how many of them are left out at this place. */
interface Piece {
  readonly stream: StreamName;
  readonly atMs: number;
  readonly bytes: Buffer | null;
  leftOut: number;
}

export class AttemptFile implements AttemptLog {
  /** Resolves when it has ended and nothing is left to be done. */
  readonly closed: Promise<void>;
  readonly #options: AttemptFileOptions;
  readonly #startedAtMs: number;
  readonly #partBytes: number;
  #queue: Piece[] = [];
  /** Those that are being written included. */
  #queuedBytes = 0;
  #onRoom: (() => void)[] = [];
  /** So much of each stream precedes the end of the present part. */
  #position: Counts = { stdout: 0, stderr: 0 };
  /** So much came after that and could not be written. */
  #lost: Counts = { stdout: 0, stderr: 0 };
  #file: FileHandle | null = null;
  #part = -1;
  /** Of the present part: what is whole of it, and whether something torn follows. */
  #partEnd = 0;
  #isTorn = false;
  /** On the monotonic clock; null while all is well. */
  #failedAtMs: number | null = null;
  /** A write that nobody waits for any more. */
  #stalled: Promise<unknown> | null = null;
  #ended = false;
  #isWriting = false;
  #resolveClosed!: () => void;

  constructor(options: AttemptFileOptions) {
    this.#options = options;
    this.#startedAtMs = options.now();
    this.#partBytes = Math.max(MIN_PART_BYTES, Math.floor(options.limitBytes / PARTS));
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  /** Nothing more comes. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  get isFull(): boolean {
    return this.#queuedBytes >= FULL_BYTES;
  }

  room(): Promise<void> {
    if (!this.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#onRoom.push(resolve));
  }

  write(stream: StreamName, bytes: Uint8Array): void {
    if (bytes.length === 0 || this.#ended) return;
    if (this.#isFailing()) {
      this.#lost[stream] += bytes.length;
      return;
    }
    const atMs = this.#options.now();
    if (this.#queuedBytes + bytes.length > TOO_MUCH_BYTES) {
      const last = this.#queue.at(-1);
      if (last?.bytes === null && last.stream === stream) last.leftOut += bytes.length;
      else this.#queue.push({ stream, atMs, bytes: null, leftOut: bytes.length });
    } else {
      const own = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      this.#queue.push({ stream, atMs, bytes: own, leftOut: 0 });
      this.#queuedBytes += bytes.length + PIECE_BYTES;
    }
    if (!this.#isWriting) void this.#writeAll();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.#isWriting) void this.#writeAll();
  }

  /** Never rejects. */
  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    while (this.#queue.length > 0) {
      const batch = this.#queue;
      this.#queue = [];
      await this.#write(batch);
    }
    if (this.#ended) await this.#finish();
    this.#isWriting = false;
  }

  async #write(batch: readonly Piece[]): Promise<void> {
    const { clock, onFailure, onWritten } = this.#options;
    const writing = this.#append(batch);
    const timeout = new AbortController();
    try {
      const stalled = sleep(clock, STALLED_AFTER_MS, timeout.signal).then(() => {
        throw new Error(`the disk has not taken it within ${STALLED_AFTER_MS / 1_000} s`);
      });
      const commit = await Promise.race([writing, stalled]);
      commit();
      if (this.#failedAtMs !== null) this.#failedAtMs = null;
      onWritten();
    } catch (error) {
      this.#stalled = writing.then(
        () => (this.#stalled = null),
        () => (this.#stalled = null),
      );
      this.#failedAtMs = clock.monotonicMs();
      this.#isTorn = true;
      for (const { stream, bytes, leftOut } of [...batch, ...this.#queue.splice(0)])
        this.#lost[stream] += bytes?.length ?? leftOut;
      this.#queuedBytes = 0;
      onFailure(error);
    } finally {
      timeout.abort(new Error('written'));
      if (this.#failedAtMs === null)
        for (const { bytes } of batch) this.#queuedBytes -= bytes === null ? 0 : bytes.length + PIECE_BYTES;
      for (const resolve of this.#onRoom.splice(0)) resolve();
    }
  }

  /** Resolves with what makes it count: nobody may wait for it any more. */
  async #append(batch: readonly Piece[]): Promise<() => void> {
    const file = await this.#openPart();
    const position = { ...this.#position };
    const pieces: Buffer[] = [];
    if (this.#lost.stdout + this.#lost.stderr > 0) {
      pieces.push(...encodeFacts('gap', this.#options.now(), this.#lost));
      add(position, this.#lost);
    }
    for (const { stream, atMs, bytes, leftOut } of batch) {
      const gap = { stdout: 0, stderr: 0, [stream]: leftOut };
      pieces.push(...(bytes === null ? encodeFacts('gap', atMs, gap) : encodeOutput(stream, atMs, bytes)));
      position[stream] += bytes?.length ?? leftOut;
    }
    const partEnd = await writeAt(file, pieces, this.#partEnd);
    return () => {
      this.#position = position;
      this.#lost = { stdout: 0, stderr: 0 };
      this.#partEnd = partEnd;
    };
  }

  /** The part that is to be written to, up to where it is whole. */
  async #openPart(): Promise<FileHandle> {
    if (this.#isTorn && this.#file !== null) await this.#file.truncate(this.#partEnd);
    this.#isTorn = false;
    if (this.#file !== null && this.#partEnd < this.#partBytes) return this.#file;
    const { folder, attempt } = this.#options;
    const place = placeOf(folder, attempt.runId);
    if (place === null) throw new Error(`${attempt.runId} is no run`);
    const name = attemptName(place.name, attempt);
    const fileOf = (part: number): string => join(place.folder, partFile(name, part));
    const part = this.#part + 1;
    const file = await openIn(place.folder, fileOf(part));
    const head = encodeFacts('head', this.#options.now(), {
      run: attempt.runId,
      attempt: attempt.attempt,
      fencingToken: attempt.fencingToken,
      node: attempt.nodeId,
      startedAt: new Date(this.#startedAtMs).toISOString(),
      from: this.#position,
    });
    try {
      this.#partEnd = await writeAt(file, head, 0);
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
    const last = this.#file;
    this.#file = file;
    this.#part = part;
    await last?.close().catch(() => undefined);
    const tooMany = part - PARTS + 1;
    if (tooMany > 0) await unlink(fileOf(tooMany)).catch(() => undefined);
    return file;
  }

  /** Says that it is complete, where something was written, and lets go of the file. */
  async #finish(): Promise<void> {
    await this.#stalled;
    const total = { ...this.#position };
    add(total, this.#lost);
    try {
      if (total.stdout + total.stderr > 0) {
        const commit = await this.#append([]);
        commit();
        await writeAt(this.#file!, encodeFacts('end', this.#options.now(), total), this.#partEnd);
      }
    } catch (error) {
      this.#options.onFailure(error);
    }
    await this.#file?.close().catch(() => undefined);
    this.#resolveClosed();
  }

  #isFailing(): boolean {
    if (this.#stalled !== null && this.#failedAtMs !== null) return true;
    const sinceMs =
      this.#failedAtMs === null ? Infinity : this.#options.clock.monotonicMs() - this.#failedAtMs;
    return sinceMs < TRY_AGAIN_AFTER_MS;
  }
}

function add(to: Counts, more: Counts): void {
  to.stdout += more.stdout;
  to.stderr += more.stderr;
}

/** Its folders are made when they are missing. What attempts write is for the worker's user alone. */
async function openIn(folder: string, path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return open(path, 'w', 0o600);
}

/** Writes all of it; resolves with where it ends. */
async function writeAt(file: FileHandle, pieces: Buffer[], from: number): Promise<number> {
  if (pieces.length === 0) return from;
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  let { bytesWritten } = await file.writev(pieces, from);
  // The system may take less at a time.
  if (bytesWritten < length) {
    const all = Buffer.concat(pieces);
    while (bytesWritten < length)
      bytesWritten += (await file.write(all, bytesWritten, length - bytesWritten, from + bytesWritten))
        .bytesWritten;
  }
  return from + length;
}
