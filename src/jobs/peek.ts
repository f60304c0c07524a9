/**
 * A look into a definition without judging it: a tenth of the time that parsing takes, for what is asked of 100,000 jobs of
 * which hardly any comes up. Whoever acts on the answer parses the definition first; a broken one then shows.
 */
import { parseSchedule, type Schedule } from '../schedule/index.js';
import { MAX_DEFINITION_BYTES } from './limits.js';
import { JOB_DEFAULTS } from './resolve.js';

/** Fields as they are written, valid or not. */
export type Peek = Readonly<Record<string, unknown>>;

/** Besides `schedule` and `timezone` these decide when a job is due. */
const DECIDING = ['startAt', 'endAt', 'only', 'exclude', 'paused', 'maxRuns'] as const;
const OPENING_BRACE = 0x7b;

/** Null when it is not written in JSON: then only parsing tells. */
export function peekDefinition(value: Uint8Array): Peek | null {
  if (value[0] !== OPENING_BRACE || value.length > MAX_DEFINITION_BYTES) return null;
  const { buffer, byteOffset, length } = value;
  try {
    return JSON.parse(Buffer.from(buffer, byteOffset, length).toString('utf8')) as Peek;
  } catch {
    return null;
  }
}

/** The schedule of the job, if its definition is sound; null: only parsing tells. */
export function peekSchedule(name: string, { schedule, timezone, ...rest }: Peek): Schedule | null {
  if (typeof schedule !== 'string' || DECIDING.some((field) => (rest[field] ?? null) !== null)) return null;
  const zone = timezone ?? JOB_DEFAULTS.timezone;
  if (typeof zone !== 'string') return null;
  try {
    return parseSchedule(schedule, zone, { job: name });
  } catch {
    return null;
  }
}
