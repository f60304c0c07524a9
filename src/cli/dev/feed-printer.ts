/** Where the lines of `etcron dev` go: the terminal, or a pipe, and a file. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { EtcronError, messageOf } from '../../errors.js';
import type { TextSink } from '../environment.js';
import type { FeedEvent } from './feed-event.js';
import { formatEvent } from './format-feed.js';

/** For what has no width: a pipe, a file. */
const DEFAULT_WIDTH = 120;

export class FeedPrinter {
  readonly colors: boolean;
  readonly #sink: TextSink;
  readonly #logFile: number | null;

  /** Throws ETCRON_CONFIG_INVALID when `logFile` cannot be opened. */
  constructor(sink: TextSink, colors: boolean, logFile: string | undefined) {
    this.colors = colors;
    this.#sink = sink;
    this.#logFile = logFile === undefined ? null : open(logFile);
  }

  get width(): number {
    return this.#sink.columns ?? DEFAULT_WIDTH;
  }

  /** Lines made for the terminal; the file gets them too. */
  lines(make: (style: { colors: boolean; width: number }) => readonly string[]): void {
    this.#sink.write(joined(make({ colors: this.colors, width: this.width })));
    if (this.#logFile === null) return;
    try {
      writeSync(this.#logFile, joined(make({ colors: false, width: DEFAULT_WIDTH })));
    } catch {
      // A full disk must not stop the show; the terminal has the line.
    }
  }

  line(text: string): void {
    this.lines(() => [text]);
  }

  event(event: FeedEvent): void {
    this.lines((style) => formatEvent(event, style));
  }

  close(): void {
    if (this.#logFile !== null) closeSync(this.#logFile);
  }
}

function open(path: string): number {
  try {
    return openSync(path, 'a');
  } catch (error) {
    throw new EtcronError('ETCRON_CONFIG_INVALID', `--log: ${path} cannot be written: ${messageOf(error)}`);
  }
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
