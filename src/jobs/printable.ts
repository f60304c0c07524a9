/**
 * Job definitions come from anybody who may write to etcd, and their parts end up on terminals: no control sequence of
 * theirs may get there.
 */

/** C0 and C1 control characters, DEL, and the characters that turn the direction of text around. */
// eslint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Those of them that `JSON.stringify` leaves as they are, though a terminal obeys some. */
const UNPRINTABLE_IN_JSON = /[\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

const MAX_QUOTED_LENGTH = 60;

/** `text` on one line, with everything that a terminal could obey escaped, and half surrogates replaced. */
export function printable(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd').replace(UNPRINTABLE, escaped);
}

/** JSON that means the same, without what a terminal would obey. */
export function printableJson(json: string): string {
  return json.replace(UNPRINTABLE_IN_JSON, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** `text` between double quotes, escaped as in JSON and cut when it is long. */
export function quote(text: string, maxLength = MAX_QUOTED_LENGTH): string {
  const characters = Array.from(text.slice(0, 2 * maxLength + 2));
  const cut = characters.length > maxLength;
  const shown = cut ? `${characters.slice(0, maxLength).join('')}…` : text;
  return printable(JSON.stringify(shown));
}

/** A value for a message: numbers, booleans and strings as themselves, the rest by its kind. */
export function describeValue(value: unknown): string {
  if (value === null || value === undefined) return 'empty';
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'boolean') return `the boolean ${value}`;
  return Array.isArray(value) ? 'a list' : 'a map';
}
