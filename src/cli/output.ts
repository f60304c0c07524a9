/** What a command says: results to stdout, remarks to stderr, so that a result can be piped on. */
import pc from 'picocolors';
import { printableJson } from '../jobs/printable.js';
import type { CliEnvironment, TextSink } from './environment.js';

export class Output {
  readonly colors: ReturnType<typeof pc.createColors>;
  readonly #environment: CliEnvironment;
  readonly #json: boolean;

  constructor(environment: CliEnvironment, json: boolean) {
    this.#environment = environment;
    this.#json = json;
    this.colors = pc.createColors(wantsColors(environment.stdout, environment.env));
  }

  /** One or more lines of a result. */
  line(text = ''): void {
    this.#environment.stdout.write(`${text}\n`);
  }

  /** The result as one JSON document, indented. */
  json(value: unknown): void {
    this.#environment.stdout.write(`${printableJson(JSON.stringify(value, null, 2))}\n`);
  }

  /** A remark for the person who watches. With `--json` nobody does: it is left out. */
  note(text: string): void {
    if (!this.#json) this.#environment.stderr.write(`${text}\n`);
  }

  /** Something is not as it should be, though the command did its work. Also with `--json`. */
  warn(text: string): void {
    const colors = pc.createColors(wantsColors(this.#environment.stderr, this.#environment.env));
    this.#environment.stderr.write(`${colors.yellow('warning:')} ${text}\n`);
  }
}

/** By https://no-color.org and the usual FORCE_COLOR; otherwise on a terminal only. */
export function wantsColors(sink: TextSink, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0';
  return sink.isTTY === true && env.TERM !== 'dumb';
}
