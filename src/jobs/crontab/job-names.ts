/**
 * Names for jobs that had none: by what an entry runs. A name depends on the entries that would share it and on no others,
 * not on their order, so that the same crontab with one more line keeps its names.
 */
import { createHash } from 'node:crypto';

const MAX_LENGTH = 48;
/** Words that only prepare for what an entry is about; the part of the command that they begin is passed over. */
const PREPARATIONS = new Set(
  'cd test [ [[ export set . source : true sleep ulimit umask command which type if fi done'.split(' '),
);
/** Words before the program that is meant. */
const WRAPPERS = new Set(
  'exec nice ionice nohup env sudo time chronic setsid stdbuf timeout flock command if ! then else do'.split(
    ' ',
  ),
);
const INTERPRETERS = /^(?:sh|bash|dash|ksh|zsh|python[\d.]*|perl|ruby|node|php[\d.]*|java)$/;
const EXTENSION = /(?<=.)\.(?:sh|bash|py|pl|rb|php|js|mjs)$/;

export interface NamedBy {
  readonly command: string;
  /** Everything that tells two entries with the same command apart. */
  readonly identity: string;
}

/** One valid name for each entry, no two alike. */
export function jobNames(entries: readonly NamedBy[]): string[] {
  const names: (string | null)[] = entries.map(() => null);
  const used = new Set<string>();
  for (const candidate of [programName, commandName, hashedName]) {
    const open = entries.flatMap((entry, index) =>
      names[index] === null ? [{ index, name: candidate(entry) }] : [],
    );
    const count = new Map<string, number>();
    for (const { name } of open) count.set(name, (count.get(name) ?? 0) + 1);
    for (const { index, name } of open) {
      if (count.get(name) !== 1 || used.has(name)) continue;
      names[index] = name;
      used.add(name);
    }
  }
  return names.map((name, index) => name ?? numbered(hashedName(entries[index]!), used));
}

/** For entries that are the same in every respect. */
function numbered(name: string, used: Set<string>): string {
  let numberedName = name;
  for (let number = 2; used.has(numberedName); number += 1) numberedName = `${name}-${number}`;
  used.add(numberedName);
  return numberedName;
}

/** `/usr/local/bin/backup.sh --all` → `backup`, `python3 /opt/report.py` → `report`. */
function programName({ command }: NamedBy): string {
  return slug(baseName(programWords(command)[0] ?? ''));
}

/** `/usr/bin/psql -c vacuum >> /tmp/log` → `psql-c-vacuum`. */
function commandName({ command }: NamedBy): string {
  const [program = '', ...words] = programWords(command);
  const redirection = words.findIndex((word) => /^(?:\d|&)?[<>]/.test(word));
  return slug([baseName(program), ...words.slice(0, redirection < 0 ? undefined : redirection)].join('-'));
}

function hashedName(entry: NamedBy): string {
  const hash = createHash('sha256').update(`${entry.identity}\0${entry.command}`).digest('hex').slice(0, 6);
  return `${programName(entry)}-${hash}`;
}

/** The words of the first part that does more than prepare. */
function mainPart(command: string): string[] {
  const parts = command
    .split(/&&|\|\|?|[;()\n]/)
    .map((part) =>
      part
        .replace(/["'`{}]/g, ' ')
        .split(/\s+/)
        .filter((word) => word !== '' && word !== '$'),
    )
    .filter((words) => words.length > 0);
  return parts.find((words) => !PREPARATIONS.has(words[0] ?? '')) ?? parts[0] ?? [];
}

/** The program, or what an interpreter runs, and its arguments. */
function programWords(command: string): string[] {
  const words = mainPart(command);
  const program = words.findIndex((word, index) => {
    // `sudo -u backup`
    if (words[index - 1] === '-u') return false;
    return !WRAPPERS.has(baseName(word)) && !/^-|^[A-Za-z_]\w*=|^\d+[smhd]?$|\.lock$|^[<>]/.test(word);
  });
  const found = words.slice(Math.max(program, 0));
  if (!INTERPRETERS.test(baseName(found[0] ?? ''))) return found;
  const script = found.findIndex((word, index) => index > 0 && !word.startsWith('-'));
  return script < 0 ? found : found.slice(script);
}

function baseName(word: string): string {
  return (/([^/]+)\/*$/.exec(word)?.[1] ?? word).replace(EXTENSION, '');
}

function slug(text: string): string {
  const name = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/-{2,}/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, MAX_LENGTH)
    .replace(/[^A-Za-z0-9]+$/, '');
  return name === '' ? 'job' : name;
}
