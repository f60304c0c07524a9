/**
 * How output stands in a file: one frame after the other, each a line that says what it is, when it came and how many bytes
 * follow, then these bytes, then a line end. `less` shows it well enough.
 *
 *     head 2026-11-21T14:00:00.120Z 97     {"run":…, "from": how much came before this part}, first in each part
 *     out 2026-11-21T14:00:00.123Z 6       what was written to stdout
 *     err 2026-11-21T14:00:00.124Z 5       … and to stderr, in the order in which it arrived
 *     gap 2026-11-21T14:00:07.000Z 43      {"stdout":…, "stderr":…}: so many bytes could not be kept here
 *     end 2026-11-21T14:00:09.000Z 29      {"stdout":…, "stderr":…}: it is complete, and this is how much there was
 *
 * A file of a worker that was killed ends somewhere, maybe within a frame: everything up to there can be read.
 */
export type StreamName = 'stdout' | 'stderr';

/** How many bytes of each stream. */
export interface StreamBytes {
  readonly stdout: number;
  readonly stderr: number;
}

export interface HeadFacts {
  readonly run: string;
  readonly attempt: number;
  readonly fencingToken: string;
  readonly node: string | null;
  /** ISO */
  readonly startedAt: string;
  readonly from: StreamBytes;
}

export type Frame =
  | { readonly kind: StreamName; readonly atMs: number; readonly bytes: Buffer; readonly isWhole: boolean }
  | { readonly kind: 'head'; readonly atMs: number; readonly facts: HeadFacts }
  | { readonly kind: 'gap' | 'end'; readonly atMs: number; readonly facts: StreamBytes };

const LINE_END = 0x0a;
const HEADER = /^(out|err|head|gap|end) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) (\d{1,9})$/;
const MAX_HEADER_BYTES = 48;
/** Nobody writes larger ones: a length beyond it is damage. */
const MAX_FRAME_BYTES = 16 * 2 ** 20;
const END_OF_FRAME = Buffer.from('\n');

const WORDS = { stdout: 'out', stderr: 'err' } as const;

/** The pieces to write. The bytes themselves are not copied. */
export function encodeOutput(stream: StreamName, atMs: number, bytes: Buffer): Buffer[] {
  return [header(WORDS[stream], atMs, bytes.length), bytes, END_OF_FRAME];
}

export function encodeFacts(kind: 'head', atMs: number, facts: HeadFacts): Buffer[];
export function encodeFacts(kind: 'gap' | 'end', atMs: number, facts: StreamBytes): Buffer[];
export function encodeFacts(kind: string, atMs: number, facts: object): Buffer[] {
  const bytes = Buffer.from(JSON.stringify(facts));
  return [header(kind, atMs, bytes.length), bytes, END_OF_FRAME];
}

function header(word: string, atMs: number, length: number): Buffer {
  return Buffer.from(`${word} ${new Date(atMs).toISOString()} ${length}\n`, 'latin1');
}

/** Reads frames from pieces of a file, however it is cut. */
export class FrameReader {
  #unread: Buffer = Buffer.alloc(0);
  #damaged = false;

  /** What follows cannot be understood. */
  get isDamaged(): boolean {
    return this.#damaged;
  }

  /** The frames that are complete with these bytes. */
  push(chunk: Buffer): Frame[] {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    const frames: Frame[] = [];
    let at = 0;
    while (!this.#damaged) {
      const begun = this.#begunAt(at);
      if (begun === null || begun.from + begun.length + 1 > this.#unread.length) break;
      const end = begun.from + begun.length;
      if (this.#unread[end] !== LINE_END) this.#damaged = true;
      const frame = makeFrame(begun.word, begun.atMs, this.#unread.subarray(begun.from, end), true);
      if (frame === null) this.#damaged = true;
      else frames.push(frame);
      at = end + 1;
    }
    this.#unread = this.#damaged ? Buffer.alloc(0) : Buffer.from(this.#unread.subarray(at));
    return frames;
  }

  /** The frame within which the file ends, as far as it is there; null where it ends with a frame, or tells nothing. */
  rest(): Frame | null {
    const begun = this.#damaged ? null : this.#begunAt(0);
    if (begun === null || (begun.word !== 'out' && begun.word !== 'err')) return null;
    const bytes = this.#unread.subarray(begun.from, begun.from + begun.length);
    return bytes.length === 0 ? null : makeFrame(begun.word, begun.atMs, bytes, false);
  }

  #begunAt(at: number): { word: string; atMs: number; from: number; length: number } | null {
    const lineEnd = this.#unread.subarray(at, at + MAX_HEADER_BYTES + 1).indexOf(LINE_END);
    if (lineEnd < 0) {
      if (this.#unread.length - at > MAX_HEADER_BYTES) this.#damaged = true;
      return null;
    }
    const line = this.#unread.toString('latin1', at, at + lineEnd);
    const [, word, time, length] = HEADER.exec(line) ?? [];
    const atMs = Date.parse(time ?? '');
    if (word === undefined || Number.isNaN(atMs) || Number(length) > MAX_FRAME_BYTES) {
      this.#damaged = true;
      return null;
    }
    return { word, atMs, from: at + lineEnd + 1, length: Number(length) };
  }
}

/** Null for facts that are none. */
function makeFrame(word: string, atMs: number, bytes: Buffer, isWhole: boolean): Frame | null {
  if (word === 'out' || word === 'err') {
    return { kind: word === 'out' ? 'stdout' : 'stderr', atMs, bytes, isWhole };
  }
  let facts: unknown;
  try {
    facts = JSON.parse(bytes.toString());
  } catch {
    return null;
  }
  if (word === 'head') return isHead(facts) ? { kind: 'head', atMs, facts } : null;
  return isStreamBytes(facts) ? { kind: word as 'gap' | 'end', atMs, facts } : null;
}

function isHead(facts: unknown): facts is HeadFacts {
  const { run, attempt, fencingToken, node, startedAt, from } = (facts ?? {}) as Partial<HeadFacts>;
  const isTime = typeof startedAt === 'string' && !Number.isNaN(Date.parse(startedAt));
  const isNode = node === null || typeof node === 'string';
  return (
    [typeof run, typeof attempt, typeof fencingToken].join() === 'string,number,string' &&
    isTime &&
    isNode &&
    isStreamBytes(from)
  );
}

function isStreamBytes(facts: unknown): facts is StreamBytes {
  const { stdout, stderr } = (facts ?? {}) as Partial<StreamBytes>;
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  return isCount(stdout) && isCount(stderr);
}
