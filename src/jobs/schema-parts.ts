/**
 * The building blocks of the schema, each with messages that continue the sentence "<path> …". A message's second
 * line, where there is one, is its hint.
 */
import { z } from 'zod';
import { DURATION_HELP, DURATION_PATTERN, formatDuration, parseDuration } from '../duration.js';
import { wordMeant } from './did-you-mean.js';
import { MAX_DURATION_MS } from './limits.js';
import { describeValue, quote } from './printable.js';

interface RawIssue {
  readonly input?: unknown;
}

/** For a value of the wrong kind. */
export function mustBe(what: string, hint?: (input: unknown) => string | undefined) {
  return ({ input }: RawIssue): string => {
    if (input === undefined) return 'is required';
    const line = hint?.(input);
    return `must be ${what}, not ${describeValue(input)}${line === undefined ? '' : `\n${line}`}`;
  };
}

/** A string that `check` has nothing to say against; `check` gives a message, or null. */
export function text(what: string, check: (value: string) => string | null, error = mustBe(what)) {
  return z.string({ error }).superRefine((value, context) => {
    const message = check(value);
    if (message !== null) context.addIssue({ code: 'custom', message });
  });
}

export function wholeNumber(min: number, max: number) {
  const error = mustBe(`a whole number from ${min} to ${max}`);
  return z.int({ error }).min(min, { error }).max(max, { error });
}

/** One of a few words. */
export function choice<const Word extends string>(words: readonly Word[]) {
  return z.enum(words, { error: mustBe(orList(words), (input) => suggestion(input, words)) });
}

export function yesOrNo() {
  return z.boolean({ error: mustBe('true or false', yesOrNoHint) });
}

export function yesOrNoHint(input: unknown): string | undefined {
  return typeof input === 'string' && /^(yes|no|on|off|y|n)$/i.test(input)
    ? 'YAML 1.2 knows true and false only'
    : undefined;
}

/** A length of time, kept as it was written. */
export function duration(minMs: number, maxMs = MAX_DURATION_MS) {
  return text(
    'a duration',
    (value) => {
      const ms = parseDuration(value);
      if (ms === null) return `must be a duration, not ${quote(value)}\n${durationHint(value)}`;
      if (ms < minMs) return `must be at least ${formatDuration(minMs)}, not ${quote(value)}`;
      if (ms > maxMs) return `must be at most ${formatDuration(maxMs)}, not ${quote(value)}`;
      return null;
    },
    mustBe('a duration', (input) => durationHint(typeof input === 'number' ? String(input) : '')),
  ).meta({ pattern: DURATION_PATTERN });
}

function durationHint(written: string): string {
  return /^\s*\d{1,9}\s*$/.test(written) ? `add a unit: "${written.trim()}s"` : DURATION_HELP;
}

/** A map from names to strings. */
export function textMap(
  maxEntries: number,
  checkName: (name: string) => string | null,
  checkValue: (value: string) => string | null,
) {
  return mapOf(checkName, text('a string', checkValue), maxEntries, 'a map of names to strings');
}

/** A map from names to what `value` says. */
export function mapOf<Value extends z.ZodType>(
  checkName: (name: string) => string | null,
  value: Value,
  maxEntries: number,
  what: string,
) {
  return z
    .record(text('a name', checkName), value, { error: mustBe(what) })
    .superRefine((map, context) => tooMany(Object.keys(map).length, maxEntries, 'entries', context));
}

/** A list that is not empty. */
export function listOf<Item extends z.ZodType>(item: Item, maxItems: number, what: string) {
  return z.array(item, { error: mustBe(what) }).superRefine((list, context) => {
    if (list.length === 0) context.addIssue({ code: 'custom', message: 'must not be empty' });
    tooMany(list.length, maxItems, 'items', context);
  });
}

function tooMany(count: number, max: number, what: string, context: z.RefinementCtx): void {
  if (count <= max) return;
  context.addIssue({ code: 'custom', message: `has ${count} ${what}, at most ${max} are allowed` });
}

/** A map with the fields of `shape` and no other. */
export function fields<Shape extends z.core.$ZodShape>(
  shape: Shape,
  hint?: (input: unknown) => string | undefined,
) {
  return z.strictObject(shape, { error: mustBe('a map', hint) });
}

function suggestion(input: unknown, words: readonly string[]): string | undefined {
  const word = typeof input === 'string' ? wordMeant(input, words) : undefined;
  return word === undefined ? undefined : `did you mean ${quote(word)}?`;
}

function orList(words: readonly string[]): string {
  const quoted = words.map((word) => quote(word));
  return `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}
