import { toLine } from '../../api/output/entry-lines.js';
import { isoText } from '../../etcd/record.js';
import type { StreamName } from '../../run/output/frames.js';
import type { OutputEntry } from '../../run/output/read-attempt.js';
import { formatSize } from '../../size.js';
import type { CliContext } from '../context.js';
import { wantsColors } from '../output.js';
import { TerminalFilter } from './terminal-filter.js';

const LINE_END = 0x0a;

/**
 * Writes output to stdout: to a terminal without what would harm it, anywhere else byte for byte. With `timestamps` each line
 * gets the time at which it came; a line of one stream is not torn by the other then.
 */
export class LogPrinter {
  readonly #context: CliContext;
  readonly #timestamps: boolean;
  readonly #filters: Record<StreamName, TerminalFilter> | null;
  /** Of a stream whose line has not come to its end, and when it began. */
  readonly #begun = new Map<StreamName, { pieces: Buffer[]; atMs: number }>();

  constructor(context: CliContext, timestamps: boolean) {
    const { stdout, env } = context.environment;
    const filter = (): TerminalFilter => new TerminalFilter(wantsColors(stdout, env));
    this.#context = context;
    this.#timestamps = timestamps;
    this.#filters = stdout.isTTY === true ? { stdout: filter(), stderr: filter() } : null;
  }

  take(entry: OutputEntry): void {
    const { json, environment, out } = this.#context;
    if (json) {
      environment.stdout.write(`${JSON.stringify(toLine(entry))}\n`);
      return;
    }
    if (entry.kind === 'output') {
      if (this.#timestamps) this.#lines(entry.stream, entry.atMs, entry.bytes);
      else this.#write(entry.stream, entry.bytes);
    } else if (entry.kind === 'gap') out.note(`[… ${formatSize(entry.bytes)} not kept …]`);
    else if (!entry.complete)
      out.note('[the output has no end: it goes on, or its worker did not get to it]');
  }

  /** What was held back. */
  end(): void {
    if (this.#context.json) return;
    for (const [stream, { pieces, atMs }] of this.#begun)
      this.#line(stream, atMs, Buffer.concat([...pieces, Buffer.from('\n')]));
    this.#begun.clear();
    const { stdout } = this.#context.environment;
    for (const filter of Object.values(this.#filters ?? {})) stdout.write(filter.end());
  }

  #lines(stream: StreamName, atMs: number, bytes: Buffer): void {
    let from = 0;
    for (let end = bytes.indexOf(LINE_END); end >= 0; end = bytes.indexOf(LINE_END, from)) {
      const begun = this.#begun.get(stream);
      this.#begun.delete(stream);
      this.#line(
        stream,
        begun?.atMs ?? atMs,
        Buffer.concat([...(begun?.pieces ?? []), bytes.subarray(from, end + 1)]),
      );
      from = end + 1;
    }
    if (from === bytes.length) return;
    const begun = this.#begun.get(stream) ?? { pieces: [], atMs };
    begun.pieces.push(bytes.subarray(from));
    this.#begun.set(stream, begun);
  }

  #line(stream: StreamName, atMs: number, line: Buffer): void {
    this.#context.environment.stdout.write(`${this.#context.colors.dim(isoText(atMs))} `);
    this.#write(stream, line);
  }

  #write(stream: StreamName, bytes: Buffer): void {
    this.#context.environment.stdout.write(this.#filters?.[stream].next(bytes) ?? bytes);
  }
}
