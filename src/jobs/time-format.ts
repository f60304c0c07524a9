/**
 * How a time is written in a template: the pattern letters of Unicode (UTS #35), as far as names of files and dates of reports
 * need them. Names of days and months are English.
 */
import { zoneTimeline } from '../schedule/index.js';

export type TimeFormat = readonly (Token | { readonly text: string })[];

export type TimeFormatParse =
  | { readonly ok: true; readonly format: TimeFormat }
  | { readonly ok: false; readonly message: string; readonly hint: string };

interface LocalTime {
  /** The reading of the clock, as if it were UTC. */
  readonly nominal: Date;
  readonly offsetSec: number;
}

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];

const TOKENS = {
  yyyy: ({ nominal }) => pad(nominal.getUTCFullYear(), 4),
  yy: ({ nominal }) => pad(nominal.getUTCFullYear() % 100, 2),
  MMMM: ({ nominal }) => MONTHS[nominal.getUTCMonth()]!,
  MMM: ({ nominal }) => MONTHS[nominal.getUTCMonth()]!.slice(0, 3),
  MM: ({ nominal }) => pad(nominal.getUTCMonth() + 1, 2),
  M: ({ nominal }) => String(nominal.getUTCMonth() + 1),
  dd: ({ nominal }) => pad(nominal.getUTCDate(), 2),
  d: ({ nominal }) => String(nominal.getUTCDate()),
  DDD: ({ nominal }) => pad(dayOfYear(nominal), 3),
  EEEE: ({ nominal }) => DAYS[nominal.getUTCDay()]!,
  EEE: ({ nominal }) => DAYS[nominal.getUTCDay()]!.slice(0, 3),
  HH: ({ nominal }) => pad(nominal.getUTCHours(), 2),
  H: ({ nominal }) => String(nominal.getUTCHours()),
  hh: ({ nominal }) => pad(hourOfHalfDay(nominal), 2),
  h: ({ nominal }) => String(hourOfHalfDay(nominal)),
  a: ({ nominal }) => (nominal.getUTCHours() < 12 ? 'AM' : 'PM'),
  mm: ({ nominal }) => pad(nominal.getUTCMinutes(), 2),
  ss: ({ nominal }) => pad(nominal.getUTCSeconds(), 2),
  SSS: ({ nominal }) => pad(nominal.getUTCMilliseconds(), 3),
  xxx: ({ offsetSec }) => formatOffset(offsetSec, ':'),
  xx: ({ offsetSec }) => formatOffset(offsetSec, ''),
  XXX: ({ offsetSec }) => (offsetSec === 0 ? 'Z' : formatOffset(offsetSec, ':')),
} as const satisfies Record<string, (time: LocalTime) => string>;

type Token = keyof typeof TOKENS;

/** What people write who know the formats of other libraries. */
const MEANT: Readonly<Record<string, Token>> = {
  YYYY: 'yyyy',
  YY: 'yy',
  DD: 'dd',
  D: 'd',
  m: 'mm',
  s: 'ss',
  S: 'SSS',
  E: 'EEE',
  A: 'a',
  Z: 'XXX',
};

/** One token, a text in quotes, or text without letters. */
const PIECE = /'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'/g;

/** Reads a format such as `yyyy-MM-dd'T'HH:mm`: letters are tokens unless they stand in single quotes; `''` is one quote. */
export function parseTimeFormat(text: string): TimeFormatParse {
  if (text === '') return { ok: false, message: 'it is empty', hint: 'such as yyyy-MM-dd' };
  const format: (Token | { text: string })[] = [];
  for (const [piece, quoted, letter] of text.matchAll(PIECE)) {
    if (piece === "'") {
      return { ok: false, message: 'a quote is not closed', hint: `write text as in yyyy-MM-dd'T'HH:mm` };
    }
    if (quoted !== undefined) format.push({ text: quoted === '' ? "'" : quoted.replaceAll("''", "'") });
    else if (letter === undefined) format.push({ text: piece });
    else if (Object.hasOwn(TOKENS, piece)) format.push(piece as Token);
    else {
      const meant = Object.hasOwn(MEANT, piece) ? MEANT[piece] : undefined;
      const hint =
        meant === undefined
          ? `there are ${Object.keys(TOKENS).join(' ')}; put text in single quotes`
          : `did you mean "${meant}"?`;
      return { ok: false, message: `"${piece}" is not known`, hint };
    }
  }
  return { ok: true, format };
}

/** Writes an instant (ms since the Unix epoch, years 1970 to 9999) as the clocks of a zone show it. */
export function formatTime(ms: number, format: TimeFormat, timeZone: string): string {
  const { offsetSec } = zoneTimeline(timeZone).segmentAt(Math.floor(ms / 1000));
  const time: LocalTime = { nominal: new Date(ms + offsetSec * 1000), offsetSec };
  return format.map((piece) => (typeof piece === 'string' ? TOKENS[piece](time) : piece.text)).join('');
}

function dayOfYear(nominal: Date): number {
  const newYear = Date.UTC(nominal.getUTCFullYear(), 0, 1);
  return Math.floor((nominal.getTime() - newYear) / 86_400_000) + 1;
}

function hourOfHalfDay(nominal: Date): number {
  return nominal.getUTCHours() % 12 || 12;
}

function formatOffset(offsetSec: number, separator: string): string {
  const minutes = Math.floor(Math.abs(offsetSec) / 60);
  const sign = offsetSec < 0 ? '-' : '+';
  return `${sign}${pad(Math.floor(minutes / 60), 2)}${separator}${pad(minutes % 60, 2)}`;
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}
