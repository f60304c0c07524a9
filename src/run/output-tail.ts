/** The end of what a command wrote to one of its streams. */
export interface OutputTail {
  /** At most `OUTPUT_TAIL_BYTES` of UTF-8. Bytes that are no UTF-8, NULs and most control characters show as U+FFFD. */
  readonly text: string;
  /** Earlier output is missing from `text`. */
  readonly truncated: boolean;
  /** How many bytes the command wrote, kept or not. */
  readonly totalBytes: number;
}

/** Where the output of a run goes. */
export interface OutputSink {
  write(chunk: Uint8Array): void;
  /** What is kept of it. */
  tail(): OutputTail;
}

/** How much of each stream a run record keeps. */
export const OUTPUT_TAIL_BYTES = 16 * 1024;

/** Control characters that mean nothing in a stored text. Kept are \b \t \n \f \r and ESC (colours). */
// eslint-disable-next-line no-control-regex -- control characters are what it is about
const UNPRINTABLE = /[\0-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f]/g;

/** What most tasks without a process write, of which thousands may end at one moment. */
export const NO_OUTPUT: OutputTail = Object.freeze({ text: '', truncated: false, totalBytes: 0 });

/** A ring buffer that keeps the last bytes written, in memory that never exceeds its capacity. */
export class OutputCollector implements OutputSink {
  readonly #capacity: number;
  /** Allocated with the first byte: most commands write nothing to at least one of their streams. */
  #ring: Buffer | null = null;
  #next = 0;
  #totalBytes = 0;

  constructor(capacity: number = OUTPUT_TAIL_BYTES) {
    this.#capacity = capacity;
  }

  write(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#ring ??= Buffer.allocUnsafeSlow(this.#capacity);
    this.#totalBytes += chunk.length;
    const kept = chunk.length > this.#capacity ? chunk.subarray(chunk.length - this.#capacity) : chunk;
    const beforeWrap = Math.min(kept.length, this.#capacity - this.#next);
    this.#ring.set(kept.subarray(0, beforeWrap), this.#next);
    this.#ring.set(kept.subarray(beforeWrap), 0);
    this.#next = (this.#next + kept.length) % this.#capacity;
  }

  tail(): OutputTail {
    if (this.#totalBytes === 0) return NO_OUTPUT;
    const bytes = this.#keptBytes();
    const decoded = new TextDecoder('utf-8', { ignoreBOM: true })
      .decode(bytes)
      .replace(UNPRINTABLE, '\uFFFD');
    const text = lastBytesOf(decoded, this.#capacity);
    const truncated = this.#totalBytes > this.#capacity || text.length < decoded.length;
    return { text, truncated, totalBytes: this.#totalBytes };
  }

  #keptBytes(): Buffer {
    if (this.#ring === null) return Buffer.alloc(0);
    if (this.#totalBytes <= this.#capacity) return this.#ring.subarray(0, this.#totalBytes);
    const ordered = Buffer.concat([this.#ring.subarray(this.#next), this.#ring.subarray(0, this.#next)]);
    return ordered.subarray(startOfCodePoint(ordered));
  }
}

/** The first index at which a code point may begin; one has at most three continuation bytes. */
function startOfCodePoint(bytes: Buffer): number {
  let start = 0;
  while (start < 3 && start < bytes.length && (bytes[start]! & 0xc0) === 0x80) start++;
  return start;
}

/** U+FFFD takes three bytes where the output had one, so a text of invalid bytes has outgrown the capacity. */
function lastBytesOf(text: string, capacity: number): string {
  const encoded = Buffer.from(text);
  if (encoded.length <= capacity) return text;
  const end = encoded.subarray(encoded.length - capacity);
  return end.toString('utf8', startOfCodePoint(end));
}
