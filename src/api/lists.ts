/** Pages of lists: where one goes on is written into an opaque text. */
import { EtcronError } from '../errors.js';

export function encodeCursor(values: readonly (string | number | null)[]): string {
  return Buffer.from(JSON.stringify(values)).toString('base64url');
}

/** Throws ETCRON_REQUEST_INVALID for a text that `encodeCursor` did not make. */
export function decodeCursor(text: string, length: number): (string | number | null)[] {
  try {
    const values: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    const isSimple = (value: unknown): boolean =>
      value === null || typeof value === 'string' || typeof value === 'number';
    if (Array.isArray(values) && values.length === length && values.every(isSimple))
      return values as (string | number | null)[];
  } catch {
    // Told below.
  }
  throw badCursor();
}

export function badCursor(): EtcronError {
  return new EtcronError('ETCRON_REQUEST_INVALID', 'query cursor: is not one that this API gave', {
    hint: 'Pass `next` of the page before as it is, with the same other parameters.',
  });
}
