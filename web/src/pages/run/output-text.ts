/**
 * Output of a command as lines that can be drawn and searched: bytes of two streams, as they come, with the colours
 * that terminals show. Only the end is kept, so that a command that writes for hours does not fill the browser.
 */
import { AnsiUp } from 'ansi_up';

export type StreamName = 'stdout' | 'stderr';

export interface Line {
  readonly id: number;
  readonly stream: StreamName;
  /** Without colours, for searching. */
  readonly text: string;
  /** Escaped, with spans for colours. */
  readonly html: string;
}

const ESCAPE = '\u001b';
const MAX_LINES = 5_000;
const MAX_LINE_CHARACTERS = 4_000;
/** Titles and links of terminals: what they enclose is kept. */
// eslint-disable-next-line no-control-regex
const COMMANDS = /\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g;
// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])/g;
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f]/g;

class Stream {
  readonly #decoder = new TextDecoder('utf-8', { fatal: false });
  readonly #ansi = new AnsiUp();
  #rest = '';

  constructor() {
    this.#ansi.use_classes = true;
    this.#ansi.escape_html = true;
    // Words instead of styles, for `withoutStyles`.
    this.#ansi.boldStyle = 'bold';
    this.#ansi.faintStyle = 'faint';
    this.#ansi.italicStyle = 'italic';
    this.#ansi.underlineStyle = 'underline';
  }

  take(bytes: Uint8Array): { text: string; html: string }[] {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE_CHARACTERS) {
      lines.push(this.#rest);
      this.#rest = '';
    }
    return lines.map((line) => this.#draw(line));
  }

  /** What stands behind the last end of a line, without escapes. */
  get open(): string {
    return lastDrawn(this.#rest)
      .replace(COMMANDS, '')
      .replace(ESCAPES, '')
      .replace(CONTROLS, '\u00b7')
      .replaceAll(ESCAPE, '');
  }

  /** What stands behind the last end of a line. */
  finish(): { text: string; html: string } | null {
    const rest = this.#rest + this.#decoder.decode();
    this.#rest = '';
    return rest === '' ? null : this.#draw(rest);
  }

  #draw(raw: string): { text: string; html: string } {
    const clean = lastDrawn(raw)
      .slice(0, MAX_LINE_CHARACTERS)
      .replace(COMMANDS, '')
      .replace(CONTROLS, '\u00b7');
    return { text: clean.replace(ESCAPES, ''), html: withoutStyles(this.#ansi.ansi_to_html(clean)) };
  }
}

/** A line that was drawn over and over, such as a progress bar, ends as what was drawn last. */
function lastDrawn(raw: string): string {
  const drawn = raw.replace(/\r+$/, '');
  return drawn.slice(drawn.lastIndexOf('\r') + 1);
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/**
 * The policy of the page allows no styles within elements, so they become words of an attribute that the style sheet
 * knows: `bold`, and for a colour outside of the sixteen the nearest hue. Quotes within the text are escaped, so only
 * tags have such an attribute.
 */
function withoutStyles(html: string): string {
  return html.replace(/ style="([^"]*)"/g, (_, styles: string) => {
    const words = styles.split(';').map((style) => {
      const color = /^(background-)?color:rgb\((\d+),(\d+),(\d+)\)$/.exec(style);
      if (!color) return style;
      const rgb = [Number(color[2]), Number(color[3]), Number(color[4])] as const;
      return `${color[1] === undefined ? 'fg' : 'bg'}-${nearestHue(rgb)}`;
    });
    return ` data-sgr="${words.join(' ')}"`;
  });
}

function nearestHue([red, green, blue]: readonly [number, number, number]): string {
  const most = Math.max(red, green, blue);
  const least = Math.min(red, green, blue);
  if (most - least < 40) return 'grey';
  const strong = [red, green, blue].map((part) => part > (most + least) / 2);
  const names = ['grey', 'blue', 'green', 'cyan', 'red', 'magenta', 'yellow', 'grey'];
  return names[(strong[0] ? 4 : 0) + (strong[1] ? 2 : 0) + (strong[2] ? 1 : 0)]!;
}

export class OutputText {
  readonly #streams: Readonly<Record<StreamName, Stream>> = { stdout: new Stream(), stderr: new Stream() };
  #lines: Line[] = [];
  #nextId = 1;
  /** Lines that were there and are not kept any more. */
  dropped = 0;

  /** With what stands behind the last end of a line, without colours as yet. */
  get lines(): readonly Line[] {
    const open = (['stdout', 'stderr'] as const).flatMap((stream, index) => {
      const text = this.#streams[stream].open;
      return text === '' ? [] : [{ id: -1 - index, stream, text, html: escaped(text) }];
    });
    return open.length === 0 ? this.#lines : [...this.#lines, ...open];
  }

  take(stream: StreamName, bytes: Uint8Array): void {
    this.#add(stream, this.#streams[stream].take(bytes));
  }

  finish(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const line = this.#streams[stream].finish();
      if (line) this.#add(stream, [line]);
    }
  }

  #add(stream: StreamName, lines: readonly { text: string; html: string }[]): void {
    for (const line of lines) {
      this.#lines.push({ id: this.#nextId, stream, ...line });
      this.#nextId += 1;
    }
    const over = this.#lines.length - MAX_LINES;
    if (over <= 0) return;
    this.#lines = this.#lines.slice(over);
    this.dropped += over;
  }
}
