import { StringDecoder } from 'node:string_decoder';

/** A colour or another attribute of text: all that a terminal may be told by a command that runs elsewhere. */
// eslint-disable-next-line no-control-regex
const COLOUR = /^\u001b\[[0-9;:]*m/;
/** Any sequence that begins with ESC: CSI, strings such as titles (up to BEL or ST), and the short ones. */
const SEQUENCE =
  // eslint-disable-next-line no-control-regex
  /^\u001b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\u0007\u001b]*(?:\u0007|\u001b\\)|[ -/]*[0-OQ-WYZ\\`-~])/;
/** One that has not come to its end. */
// eslint-disable-next-line no-control-regex
const BEGUN = /^\u001b(?:\[[0-?]*[ -/]*|[\]PX^_][^\u0007\u001b]*\u001b?|[ -/]*)$/;
/** Longer ones are none that anybody means. */
const MAX_SEQUENCE = 4_096;
/** Kept are \t, \n and \r. */
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001a\u001c-\u001f\u007f-\u009f]/g;
const ESC = '\u001b';

/**
 * Makes bytes of a command fit for a terminal: text and colours pass, what would move the cursor, set a title, ask the terminal
 * for an answer or anything else does not, however it is cut into pieces.
 */
export class TerminalFilter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #withColours: boolean;
  #held = '';
  #coloured = false;

  constructor(withColours: boolean) {
    this.#withColours = withColours;
  }

  next(bytes: Uint8Array): string {
    return this.#filter(this.#held + this.#decoder.write(Buffer.from(bytes)), false);
  }

  /** What is left, and the end of its colours. */
  end(): string {
    const text = this.#filter(this.#held + this.#decoder.end(), true);
    return this.#coloured ? `${text}${ESC}[0m` : text;
  }

  #filter(text: string, isEnd: boolean): string {
    let shown = '';
    this.#held = '';
    for (let at = 0; at < text.length;) {
      const escape = text.indexOf(ESC, at);
      const until = escape < 0 ? text.length : escape;
      shown += text.slice(at, until).replace(CONTROL, '\ufffd');
      if (escape < 0) break;
      const rest = text.slice(escape, escape + MAX_SEQUENCE);
      const colour = COLOUR.exec(rest)?.[0];
      const sequence = colour ?? SEQUENCE.exec(rest)?.[0];
      if (sequence === undefined) {
        if (!isEnd && BEGUN.test(rest) && rest.length < MAX_SEQUENCE) {
          this.#held = text.slice(escape);
          break;
        }
        shown += '\ufffd';
        at = escape + 1;
        continue;
      }
      if (colour !== undefined && this.#withColours) {
        shown += colour;
        this.#coloured = true;
      }
      at = escape + sequence.length;
    }
    return shown;
  }
}
