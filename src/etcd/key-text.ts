/**
 * Keys are bytes in etcd and text here. Whoever can write to etcd can write keys that are no UTF-8; decoded in the usual
 * way two of them can become the same text, and none can be addressed again: a page that ends in one would be followed
 * by the wrong key or by itself for ever, a compare of one could never hold. So each byte that is no UTF-8 becomes a lone
 * surrogate, U+DC00 + byte, which stands in no valid text and goes back to the same byte (as in Python's PEP 383).
 */
import { isUtf8 } from 'node:buffer';

const FIRST = 0xdc00;
const LONE_BYTE = /[\udc80-\udcff]/u;
const PARTS = /([\udc80-\udcff]+)/u;

export function decodeKey(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return isSurelyText(text) || isUtf8(bytes) ? text : decodeDamaged(bytes);
}

/** What was decoded as UTF-8 was UTF-8: the replacement character stands wherever something was wrong, and seldom elsewhere. */
export function isSurelyText(text: string): boolean {
  return !text.includes('\ufffd');
}

/** Its bytes are its UTF-8. */
export function isPlainKey(key: string): boolean {
  return !LONE_BYTE.test(key);
}

/** The inverse of `decodeKey`. */
export function encodeKey(key: string): Buffer {
  if (isPlainKey(key)) return Buffer.from(key, 'utf8');
  const parts = key.split(PARTS).map((part) => {
    if (!LONE_BYTE.test(part)) return Buffer.from(part, 'utf8');
    return Buffer.from(Array.from(part, (unit) => unit.charCodeAt(0) - FIRST));
  });
  return Buffer.concat(parts);
}

/** The longest valid beginning, then one byte for itself, and so on. */
function decodeDamaged(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    text += length > 0 ? bytes.toString('utf8', at, at + length) : String.fromCharCode(FIRST + bytes[at]!);
    at += Math.max(length, 1);
  }
  return text;
}

/** How many bytes the character at `at` has; 0 when there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  return length > 0 && at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}
