/**
 * `H`: a value that each job has for itself, so that a hundred jobs "at about three" do not all start at 03:00:00. It is
 * hashed from the job's name and the kind of the field, and so is the same on every node, at every time, in every
 * expression of the job. What `H` stands for is put in its place as plain cron syntax; whatever reads the field
 * afterwards (the rules of clock changes and of the two day fields among it) sees only that.
 *
 *     H            one value of the field      17
 *     H(0-29)      one value of the range      12
 *     H/15         every 15th, from one of the first 15 on      4-59/15
 *     H(0-29)/10   the same within the range      3-29/10
 */
import { createHash } from 'node:crypto';
import { FieldProblem, readNumber, type FieldKind } from './field.js';

/** Whether an expression may hold an `H`; no name of a month or weekday begins with one. */
export function mentionsHash(expression: string): boolean {
  return /(?:^|[\s,])H/i.test(expression);
}

const HASHED = /^H(?:\(([^()]*)\))?(?:\/([0-9]+))?$/i;
const RANGE = /^([0-9]+|[a-z]+)-([0-9]+|[a-z]+)$/i;

/** A field's text with plain cron syntax in place of each `H`. Throws FieldProblem. */
export function expandHashes(kind: FieldKind, text: string, job: string | undefined): string {
  return text
    .split(',')
    .map((item) => (/^H/i.test(item) ? expandItem(kind, item, job) : item))
    .join(',');
}

function expandItem(kind: FieldKind, item: string, job: string | undefined): string {
  const parts = HASHED.exec(item);
  if (parts === null) {
    throw new FieldProblem(`"${item}" is not understood`, 'write H, H/15, H(0-29) or H(0-29)/10');
  }
  if (job === undefined) {
    throw new FieldProblem(
      `"${item}" stands for a value hashed from the name of a job, and no name is given`,
      'name the job (on the command line: --job backup)',
    );
  }
  const [low, high] = parts[1] === undefined ? everyMonthHas(kind) : readRange(kind, item, parts[1]);
  const size = high - low + 1;
  if (parts[2] === undefined) return String(low + (hashOf(job, kind) % size));
  const step = Number(parts[2]);
  if (step < 1 || step > size) {
    throw new FieldProblem(
      `"${item}": the step must lie between 1 and ${size}, the number of values that it goes over`,
      step < 1 ? 'use a step of 1 or more' : 'use a smaller step, or H alone',
    );
  }
  return `${low + (hashOf(job, kind) % step)}-${high}/${step}`;
}

/** All values of the field that come in every month and mean each a different thing. */
function everyMonthHas(kind: FieldKind): [low: number, high: number] {
  if (kind.name === 'dayOfMonth') return [1, 28];
  return [kind.min, kind.name === 'dayOfWeek' ? 6 : kind.max];
}

function readRange(kind: FieldKind, item: string, range: string): [low: number, high: number] {
  const ends = RANGE.exec(range);
  if (ends === null) throw new FieldProblem(`"${item}" needs a range`, 'write it as H(0-29)');
  const low = readNumber(kind, ends[1]!);
  const high = readNumber(kind, ends[2]!);
  if (low > high) {
    throw new FieldProblem(
      `the range of "${item}" runs backwards`,
      `write H(${high}-${low}), or list both parts`,
    );
  }
  return [low, high];
}

/** 48 bits: no remainder that a field can ask for is noticeably more frequent than another. */
function hashOf(job: string, kind: FieldKind): number {
  return createHash('sha256').update(`${kind.name}\n${job}`).digest().readUIntBE(0, 6);
}
