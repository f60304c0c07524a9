/**
 * Templates: `{{ due | yyyy-MM-dd }}` in a text of a job, filled in by the worker that runs it.
 *
 *     text      = (anything else | "{{" (value | literal) "}}")*
 *     value     = name ["|" format]          a format goes with a time only
 *     literal   = "'" anything but "'" "'"   `{{ '{{' }}` is how two braces are written
 *
 * Nothing else is a template: `${…}` and `$(…)` stay the shell's, `}}` alone is text.
 */
import { wordMeant } from './did-you-mean.js';
import { parseTimeFormat, type TimeFormat } from './time-format.js';
import { quote } from './printable.js';

const TIMES = ['due', 'previousDue'] as const;
const WORDS = ['job', 'attempt', 'runId', 'fencingToken'] as const;

export type TimeName = (typeof TIMES)[number];
export type WordName = (typeof WORDS)[number];

export type TemplatePart =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'time'; readonly name: TimeName; readonly format: TimeFormat | null }
  | { readonly kind: 'word'; readonly name: WordName }
  | { readonly kind: 'secret'; readonly name: string };

/** What is wrong with a template; the message continues the sentence "<path> …". */
export interface TemplateProblem {
  readonly message: string;
  readonly hint: string;
}

export type ParsedTemplate =
  | { readonly ok: true; readonly parts: readonly TemplatePart[] }
  | { readonly ok: false; readonly problems: readonly TemplateProblem[] };

const LITERAL = /^'([^']*)'$/;
const SECRET = /^secrets\.(\S+)$/;
const BRACES_HINT = `for two braces as they are, write {{ '{{' }}`;

/**
 * The parts of `text`, or everything that is wrong with it. `secrets` are the names that may stand after `secrets.`;
 * null where a text is no place for a secret.
 */
export function parseTemplate(text: string, secrets: readonly string[] | null): ParsedTemplate {
  const parts: TemplatePart[] = [];
  const problems: TemplateProblem[] = [];
  let position = 0;
  while (position < text.length) {
    const open = text.indexOf('{{', position);
    const literalEnd = open === -1 ? text.length : open;
    if (literalEnd > position) parts.push({ kind: 'text', text: text.slice(position, literalEnd) });
    if (open === -1) break;
    const close = endOf(text, open + 2);
    if (close === -1) {
      problems.push({ message: 'has a "{{" without its "}}"', hint: BRACES_HINT });
      break;
    }
    const part = parsePart(text.slice(open + 2, close).trim(), secrets);
    if ('kind' in part) parts.push(part);
    else problems.push(part);
    position = close + 2;
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, parts };
}

/** A text in which nothing is taken for a template. */
export function escapeTemplate(text: string): string {
  return text.replaceAll('{{', `{{ '{{' }}`);
}

/** Where the `}}` begins; what stands between single quotes does not count. */
function endOf(text: string, from: number): number {
  let quoted = false;
  for (let index = from; index < text.length; index++) {
    if (text[index] === "'") quoted = !quoted;
    else if (!quoted && text.startsWith('}}', index)) return index;
  }
  // A quote that was never closed: the nearest end makes the better message.
  return text.indexOf('}}', from);
}

function parsePart(inner: string, secrets: readonly string[] | null): TemplatePart | TemplateProblem {
  const literal = LITERAL.exec(inner)?.[1];
  if (literal !== undefined) return { kind: 'text', text: literal };
  const bar = inner.indexOf('|');
  const name = (bar === -1 ? inner : inner.slice(0, bar)).trim();
  const format = bar === -1 ? null : inner.slice(bar + 1).trim();
  const secret = SECRET.exec(name)?.[1];
  if (isOneOf(TIMES, name)) return timePart(name, format);
  if (secret === undefined && !isOneOf(WORDS, name)) return unknownName(name, secrets !== null);
  if (format !== null) {
    const hint = `only ${TIMES.join(' and ')} can be formatted`;
    return { message: `must not format ${quote(name)}`, hint };
  }
  if (secret !== undefined) return secretPart(secret, secrets);
  return { kind: 'word', name: name as WordName };
}

function timePart(name: TimeName, text: string | null): TemplatePart | TemplateProblem {
  if (text === null) return { kind: 'time', name, format: null };
  const format = parseTimeFormat(text);
  if (format.ok) return { kind: 'time', name, format: format.format };
  return { message: `has a bad time format ${quote(text)}: ${format.message}`, hint: format.hint };
}

function secretPart(name: string, secrets: readonly string[] | null): TemplatePart | TemplateProblem {
  if (secrets === null) {
    const hint = `a command finds its secrets in its environment: "$${name}"`;
    return { message: 'must not hold a secret', hint };
  }
  if (secrets.includes(name)) return { kind: 'secret', name };
  const meant = wordMeant(name, secrets);
  const hint =
    meant === undefined ? 'name it under "secrets:"' : `did you mean ${quote(`secrets.${meant}`)}?`;
  return { message: `asks for a secret that the job does not have: ${quote(name)}`, hint };
}

function unknownName(name: string, withSecrets: boolean): TemplateProblem {
  const known = [...TIMES, ...WORDS];
  const meant = /^\w+$/.test(name) ? wordMeant(name, known) : undefined;
  const names = [...known, ...(withSecrets ? ['secrets.NAME'] : [])].join(', ');
  const hint =
    meant === undefined ? `there are ${names}; ${BRACES_HINT}` : `did you mean ${quote(`{{ ${meant} }}`)}?`;
  return { message: `has a template that is not known: ${quote(`{{ ${name} }}`)}`, hint };
}

function isOneOf<Word extends string>(words: readonly Word[], text: string): text is Word {
  return (words as readonly string[]).includes(text);
}
