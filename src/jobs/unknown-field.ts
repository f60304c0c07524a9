import { nearest } from '../schedule/nearest.js';
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
  const [meant] =
    synonym !== undefined && known.includes(synonym) ? [synonym] : nearest(key.slice(0, 64), known, 1);
  if (meant !== undefined) return `did you mean ${quote(meant)}?`;
  return `there ${known.length === 1 ? 'is' : 'are'} ${known.join(', ')}`;
}
