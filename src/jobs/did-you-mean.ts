import { distance } from 'fastest-levenshtein';
import { quote } from './printable.js';

/** What people write who come from other schedulers. */
const SYNONYMS: Readonly<Record<string, string>> = {
  cron: 'schedule',
  when: 'schedule',
  interval: 'schedule',
  every: 'schedule',
  tz: 'timezone',
  cmd: 'command',
  run: 'command',
  script: 'command',
  exec: 'command',
  args: 'command',
  environment: 'env',
  envs: 'env',
  dir: 'cwd',
  directory: 'cwd',
  workdir: 'cwd',
  deadline: 'timeout',
  retry: 'retries',
  maxattempts: 'attempts',
  concurrency: 'overlap',
  concurrencypolicy: 'overlap',
  catchup: 'misfire',
  disabled: 'paused',
  enabled: 'paused',
  suspend: 'paused',
  tags: 'labels',
  ttl: 'maxAge',
};

/** The hint for a key that is not among `known`: the name that was meant, or all of them. */
export function unknownFieldHint(key: string, known: readonly string[]): string {
  if (key === '<<')
    return 'merge keys are not part of YAML 1.2; in a file, put what jobs share under "defaults:"';
  const lowerCase = key.toLowerCase();
  const synonym = Object.hasOwn(SYNONYMS, lowerCase) ? SYNONYMS[lowerCase] : undefined;
  const name = synonym !== undefined && known.includes(synonym) ? synonym : wordMeant(key, known);
  if (name !== undefined) return `did you mean ${quote(name)}?`;
  return `there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`;
}

/**
 * The candidate that `text` is a misspelling of, if any. Two edits are always forgiven in words of four letters and
 * more, because two letters in the wrong order count as two.
 */
export function wordMeant(text: string, candidates: readonly string[]): string | undefined {
  const written = text.slice(0, 64).toLowerCase();
  const limit = written.length < 4 ? 1 : Math.max(2, Math.floor(written.length / 3));
  const [best] = candidates
    .map((candidate) => ({ candidate, edits: distance(written, candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  return best !== undefined && best.edits <= limit ? best.candidate : undefined;
}
