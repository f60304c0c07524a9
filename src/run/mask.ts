/**
 * Keeps secrets out of what a run record tells.
 *
 * A secret is hidden wherever its bytes stand in a row, whatever the pieces in which they come: a stream is held back only
 * from where a secret may have begun, and that is less than the longest one. What is hidden becomes one `***`, also
 * where secrets overlap or touch. A part of a secret is no secret: output that ends in the middle of one shows that part.
 */
import { OutputCollector, type OutputSink, type OutputTail } from './output-tail.js';

const STARS = '***';
/** Shorter values would hide half of the output, and are guessed by what stands around their stars. */
export const MIN_MASKED_LENGTH = 4;

export class Mask {
  readonly #needles: readonly Buffer[];

  /** Hides these values, each of their lines, and both as they stand in a URL and in JSON. */
  constructor(secrets: readonly string[]) {
    const needles = new Set<string>();
    for (const secret of secrets) {
      for (const text of [secret, ...secret.split(/\r?\n/).map((line) => line.trim())]) {
        if (text.length < MIN_MASKED_LENGTH) continue;
        for (const form of [text, encodeURIComponent(text), JSON.stringify(text).slice(1, -1)])
          needles.add(form);
      }
    }
    this.#needles = Array.from(needles, (needle) => Buffer.from(needle));
  }

  text(text: string): string {
    if (this.#needles.length === 0) return text;
    const stream = new MaskedStream(this.#needles);
    return Buffer.concat([...stream.next(Buffer.from(text)), ...stream.end()]).toString();
  }

  /** A sink that keeps the end of a stream without the secrets. `tee` gets all of it, without them, too. */
  output(tee: (bytes: Uint8Array) => void = () => undefined): OutputSink {
    return this.#needles.length === 0 ? new PlainOutput(tee) : new MaskedOutput(this.#needles, tee);
  }
}

export const NO_MASK = new Mask([]);

class PlainOutput implements OutputSink {
  readonly #kept = new OutputCollector();
  readonly #tee: (bytes: Uint8Array) => void;

  constructor(tee: (bytes: Uint8Array) => void) {
    this.#tee = tee;
  }

  write(chunk: Uint8Array): void {
    this.#kept.write(chunk);
    this.#tee(chunk);
  }

  tail(): OutputTail {
    return this.#kept.tail();
  }
}

class MaskedOutput implements OutputSink {
  readonly #kept: OutputSink;
  readonly #stream: MaskedStream;
  #totalBytes = 0;

  constructor(needles: readonly Buffer[], tee: (bytes: Uint8Array) => void) {
    this.#kept = new PlainOutput(tee);
    this.#stream = new MaskedStream(needles);
  }

  write(chunk: Uint8Array): void {
    this.#totalBytes += chunk.length;
    for (const piece of this.#stream.next(chunk)) this.#kept.write(piece);
  }

  tail(): OutputTail {
    for (const piece of this.#stream.end()) this.#kept.write(piece);
    return { ...this.#kept.tail(), totalBytes: this.#totalBytes };
  }
}

const STARS_BYTES = Buffer.from(STARS);

class MaskedStream {
  readonly #needles: readonly Buffer[];
  /** What was held back: the bytes in which a secret may have begun. */
  #held: Buffer = Buffer.alloc(0);
  /** So many of them belong to a secret that has been seen whole. */
  #heldHidden = 0;
  /** The stars for the byte before `#held` have been written. */
  #inStars = false;

  constructor(needles: readonly Buffer[]) {
    this.#needles = needles;
  }

  next(chunk: Uint8Array): Buffer[] {
    const bytes = Buffer.concat([this.#held, chunk]);
    return this.#emit(bytes, this.#holdFrom(bytes));
  }

  end(): Buffer[] {
    return this.#emit(this.#held, this.#held.length);
  }

  /** Writes what lies before `until`, and holds the rest. */
  #emit(bytes: Buffer, until: number): Buffer[] {
    const pieces: Buffer[] = [];
    let position = 0;
    let hidden = this.#heldHidden;
    const write = (to: number, stars: boolean): void => {
      if (to <= position) return;
      if (!stars) pieces.push(bytes.subarray(position, to));
      else if (!this.#inStars) pieces.push(STARS_BYTES);
      this.#inStars = stars;
      position = to;
    };
    for (const { from, to } of this.#secretsIn(bytes)) {
      if (from >= until) break;
      if (from > hidden) {
        write(hidden, true);
        write(from, false);
      }
      hidden = Math.max(hidden, to);
    }
    write(Math.min(hidden, until), true);
    write(until, false);
    this.#held = Buffer.from(bytes.subarray(until));
    this.#heldHidden = Math.max(0, hidden - until);
    return pieces;
  }

  /** Where secrets stand, by where they begin; they may overlap. */
  #secretsIn(bytes: Buffer): { from: number; to: number }[] {
    const found: { from: number; to: number }[] = [];
    for (const needle of this.#needles) {
      for (let at = bytes.indexOf(needle); at !== -1; at = bytes.indexOf(needle, at + 1)) {
        found.push({ from: at, to: at + needle.length });
      }
    }
    return found.sort((a, b) => a.from - b.from);
  }

  /** The first place at which a secret may begin that goes on after `bytes`. */
  #holdFrom(bytes: Buffer): number {
    let hold = bytes.length;
    for (const needle of this.#needles) {
      for (let from = Math.max(0, bytes.length - needle.length + 1); from < hold; from++) {
        const isPart = bytes[from] === needle[0] && bytes.compare(needle, 0, bytes.length - from, from) === 0;
        if (isPart) hold = from;
      }
    }
    return hold;
  }
}
