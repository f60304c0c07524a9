import { formatTime, parseTemplate, type TemplatePart } from '../jobs/index.js';
import type { RunRequest } from './running-task.js';

/** What a value becomes in the text around it. */
export type Escape = (value: string) => string;

/** In a list of arguments, a variable, a body or a header. */
export const asIs: Escape = (value) => value;

/** In a URL: part of a path, a query or a name. */
export const inUrl: Escape = (value) => encodeURIComponent(value);

/**
 * In a text for the shell, one word wherever it stands: a value of harmless characters needs no quotes, and so it may stand
 * between the quotes of the command, too; any other gets single quotes.
 */
export const inShell: Escape = (value) =>
  /^[A-Za-z0-9_.,:/@%+=-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;

/** Fills in the templates of one run's texts. Texts are those of a valid definition: a bad template throws. */
export class TemplateRenderer {
  readonly #request: RunRequest;
  readonly #secrets: Readonly<Record<string, string>>;

  /** `secrets` are the values for `{{ secrets.NAME }}`. */
  constructor(request: RunRequest, secrets: Readonly<Record<string, string>> = {}) {
    this.#request = request;
    this.#secrets = secrets;
  }

  render(text: string, escape: Escape): string {
    if (!text.includes('{{')) return text;
    const parsed = parseTemplate(text, Object.keys(this.#secrets));
    if (!parsed.ok) throw new Error(parsed.problems.map(({ message }) => message).join('; '));
    return parsed.parts
      .map((part) => (part.kind === 'text' ? part.text : escape(this.#value(part))))
      .join('');
  }

  #value(part: Exclude<TemplatePart, { kind: 'text' }>): string {
    if (part.kind === 'secret') return this.#secrets[part.name] ?? '';
    if (part.kind === 'word') return this.#word(part.name);
    const { identity, previousDueMs, timezone } = this.#request;
    const ms = part.name === 'due' ? Date.parse(identity.dueIso) : previousDueMs();
    if (ms === null) return '';
    return part.format === null ? new Date(ms).toISOString() : formatTime(ms, part.format, timezone);
  }

  #word(name: 'job' | 'attempt' | 'runId' | 'fencingToken'): string {
    return String(this.#request.identity[name]);
  }
}
