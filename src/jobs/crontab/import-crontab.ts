/**
 * A crontab as jobs that do what cron did with it. Nothing is executed. What etcron cannot do is left out and listed with
 * its lines, never guessed at.
 */
import { EtcronError, messageOf } from '../../errors.js';
import { assertTimeZone, parseSchedule } from '../../schedule/index.js';
import { formatDuration } from '../../duration.js';
import { MAX_DESCRIPTION_LENGTH, MAX_JITTER_MS } from '../limits.js';
import { quote } from '../printable.js';
import type { JobDefinition } from '../schema.js';
import { escapeTemplate } from '../template.js';
import { validateDefinition } from '../validate.js';
import { readCrontabLine, type CrontabLine } from './crontab-line.js';
import { jobNames } from './job-names.js';
import { splitPercent } from './percent.js';
import { shellWord, withInput } from './shell-text.js';

export interface CrontabOptions {
  /** Entries name a user between schedule and command. */
  readonly system: boolean;
  /** The zone of the machine that the crontab is from: cron's, where the crontab sets no CRON_TZ. */
  readonly timeZone: string;
}

export interface ImportedJob {
  readonly name: string;
  readonly definition: JobDefinition;
  readonly line: number;
  readonly user: string | null;
}

export interface ImportFinding {
  /** 1-based, ascending. */
  readonly lines: readonly number[];
  /** `entry`: it is no job. `part`: the jobs do without it. */
  readonly lost: 'entry' | 'part';
  readonly message: string;
  readonly hint?: string;
}

export interface CrontabImport {
  /** In the order of the crontab. */
  readonly jobs: readonly ImportedJob[];
  /** By line. */
  readonly findings: readonly ImportFinding[];
}

type Entry = Extract<CrontabLine, { kind: 'entry' }>;

interface Settings {
  /** Without what cron itself takes from the settings. */
  readonly env: Map<string, string>;
  shell: string;
  /** 0: none. */
  delayMinutes: number;
  /** Null: the zone of the machine. Undefined: one that does not exist was asked for. */
  timeZone: string | null | undefined;
}

const MAIL_SETTINGS = new Set(['MAILTO', 'MAILFROM', 'CONTENT_TYPE', 'CONTENT_TRANSFER_ENCODING']);
const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** The headings in the crontabs that distributions ship. */
const COLUMN_TITLES = /^m\s+h\s+dom\s+mon\s+dow\b/;
const BAD_BYTES = '\ufffd';

/** Never throws, whatever the text. */
export function importCrontab(content: string | Uint8Array, options: CrontabOptions): CrontabImport {
  const text = typeof content === 'string' ? content : Buffer.from(content).toString('utf8');
  const reader = new CrontabReader(options);
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split('\n')
    .entries())
    reader.read(line, index + 1);
  return reader.result();
}

class CrontabReader {
  readonly #options: CrontabOptions;
  readonly #settings: Settings = {
    ...{ env: new Map<string, string>(), shell: '/bin/sh' },
    ...{ delayMinutes: 0, timeZone: null },
  };
  readonly #drafts: Omit<ImportedJob, 'name'>[] = [];
  readonly #identities: { command: string; identity: string }[] = [];
  readonly #findings: ImportFinding[] = [];
  #comments: string[] = [];

  constructor(options: CrontabOptions) {
    this.#options = options;
  }

  read(text: string, line: number): void {
    const read = readCrontabLine(text, this.#options.system);
    if (read.kind === 'comment') return this.#readComment(read.text);
    const comments = this.#comments;
    this.#comments = [];
    if (read.kind === 'blank') return;
    if (text.includes(BAD_BYTES) || text.includes('\0')) {
      this.#lose(line, 'entry', 'holds bytes that are not UTF-8 text', 'Convert the crontab to UTF-8.');
    } else if (read.kind === 'unknown') this.#lose(line, 'entry', read.message);
    else if (read.kind === 'setting') this.#set(read.name, read.value, line);
    else this.#add(read, line, comments);
  }

  result(): CrontabImport {
    const names = jobNames(this.#identities);
    return {
      jobs: this.#drafts.map((draft, index) => ({ name: names[index]!, ...draft })),
      findings: this.#findings.sort((a, b) => a.lines[0]! - b.lines[0]!),
    };
  }

  /** The lines right above an entry are about it; an entry that is commented out is about nothing. */
  #readComment(text: string): void {
    const read = readCrontabLine(text, this.#options.system);
    const isDisabled = read.kind === 'entry' && scheduleProblem(read.schedule, 'UTC') === null;
    if (isDisabled || read.kind === 'setting' || COLUMN_TITLES.test(text)) this.#comments = [];
    else this.#comments.push(text);
  }

  #set(name: string, value: string, line: number): void {
    const { env } = this.#settings;
    if (name === 'CRON_TZ') return this.#setTimeZone(value, line);
    if (name === 'SHELL') this.#settings.shell = value === '' ? '/bin/sh' : value;
    else if (MAIL_SETTINGS.has(name)) {
      // An empty one asks for no mail, which is what happens.
      if (name !== 'MAILTO' || value === '') return;
      const message = `MAILTO=${quote(value)}: etcron sends no mail; the output is kept with the run`;
      this.#lose(line, 'part', message, 'See "etcron runs list --outcome failed" and "etcron runs get".');
    } else if (name === 'LOGNAME') {
      this.#lose(line, 'part', 'LOGNAME: cron itself ignores this line, and so does etcron');
    } else if (name === 'RANDOM_DELAY') {
      this.#setRandomDelay(value, line);
    } else if (!ENV_NAME.test(name) || name.startsWith('ETCRON_')) {
      const why = ENV_NAME.test(name) ? 'is set by etcron itself' : 'is no name for a variable';
      this.#lose(line, 'part', `the variable ${quote(name)} is left out: it ${why}`);
    } else env.set(name, value);
  }

  /** Minutes; cron draws one delay for all when it starts, `jitter` one for each due time. */
  #setRandomDelay(value: string, line: number): void {
    const minutes = /^\d{1,9}$/.test(value) ? Number(value) : NaN;
    if (minutes <= MAX_JITTER_MS / 60_000) {
      this.#settings.delayMinutes = minutes;
      return;
    }
    this.#settings.delayMinutes = 0;
    const message = `RANDOM_DELAY=${quote(value)} is not a number of minutes up to a day`;
    this.#lose(line, 'part', message, 'Add "jitter:" to the jobs.');
  }

  #setTimeZone(value: string, line: number): void {
    if (value === '') return void (this.#settings.timeZone = null);
    try {
      assertTimeZone(value);
      this.#settings.timeZone = value;
    } catch (error) {
      this.#settings.timeZone = undefined;
      const hint = error instanceof EtcronError ? error.hint : undefined;
      this.#lose(line, 'part', `CRON_TZ: ${messageOf(error)}`, hint);
    }
  }

  #add(entry: Entry, line: number, comments: readonly string[]): void {
    const { timeZone } = this.#settings;
    if (timeZone === undefined) {
      return this.#lose(line, 'entry', 'stands under a CRON_TZ that is no time zone');
    }
    const zone = timeZone ?? this.#options.timeZone;
    const problem = scheduleProblem(entry.schedule, zone);
    if (problem !== null) return this.#lose(line, 'entry', ...problem);

    const written = this.#definition(entry, zone, comments);
    const judged = validateDefinition(written);
    if (!judged.ok) {
      const [first] = judged.problems;
      const message = `makes no valid job: ${first?.path.join('.') ?? ''} ${first?.message ?? ''}`;
      return this.#lose(line, 'entry', message, first?.hint);
    }
    this.#noteSurprises(entry, line);
    this.#drafts.push({ definition: judged.definition, line, user: entry.user });
    const identity = [entry.schedule, timeZone ?? '', entry.user ?? ''].join('\0');
    this.#identities.push({ command: entry.command, identity });
  }

  #definition(entry: Entry, zone: string, comments: readonly string[]): Record<string, unknown> {
    const { env: settings, shell, delayMinutes } = this.#settings;
    const description = readDescription(comments);
    const env = new Map(settings);
    const home = env.get('HOME') ?? '';
    if (shell !== '/bin/sh') env.set('SHELL', shell);
    return {
      schedule: entry.schedule,
      timezone: zone,
      ...(delayMinutes > 0 ? { jitter: formatDuration(delayMinutes * 60_000) } : {}),
      command: asPlainText(commandFor(entry.command, shell)),
      ...(env.size > 0
        ? { env: Object.fromEntries([...env].map(([name, value]) => [name, escapeTemplate(value)])) }
        : {}),
      ...(home.startsWith('/') ? { cwd: home } : {}),
      ...(entry.user === null ? {} : { user: entry.user }),
      ...(description === '' ? {} : { description }),
    };
  }

  /** What changes for the command of an entry although it is carried over. */
  #noteSurprises({ command, user }: Entry, line: number): void {
    const [program = ''] = command.split(/\s/);
    if (user === null && program === 'root' && /\s/.test(command)) {
      const hint = 'Read /etc/crontab and the files in /etc/cron.d with --system.';
      this.#lose(line, 'part', 'the command begins with "root", which looks like a user', hint);
    }
    const home = this.#settings.env.get('HOME') ?? '';
    if (!home.startsWith('/') && /^(?:\.{1,2}\/|[^/~$"'`=]+\/)/.test(program)) {
      const message = `${quote(program)} is relative to the home directory, in which etcron does not start it`;
      this.#lose(line, 'part', message, 'Write the whole path, or add "cwd:" to the job.');
    }
  }

  #lose(line: number, lost: ImportFinding['lost'], message: string, hint?: string): void {
    this.#findings.push({ lines: [line], lost, message, ...(hint === undefined ? {} : { hint }) });
  }
}

function scheduleProblem(schedule: string, zone: string): [message: string, hint?: string] | null {
  if (schedule.includes('~')) {
    return [
      `the schedule ${quote(schedule)} has a random part, which cron chooses when it starts`,
      'Choose a time, or write H for one that is hashed from the name of the job.',
    ];
  }
  try {
    if (parseSchedule(schedule, zone).neverFires) return [`the schedule ${quote(schedule)} never comes due`];
    return null;
  } catch (error) {
    const hint = error instanceof EtcronError ? error.hint : undefined;
    return hint === undefined ? [messageOf(error)] : [messageOf(error), hint];
  }
}

/** cron knows no templates. */
function asPlainText(command: string | string[]): string | string[] {
  return typeof command === 'string' ? escapeTemplate(command) : command.map(escapeTemplate);
}

/** cron runs `$SHELL -c <command>`; a string is that with `/bin/sh`. */
function commandFor(written: string, shell: string): string | string[] {
  const { command, input } = splitPercent(written);
  const isSh = shell === '/bin/sh' || shell === 'sh';
  if (input === null) return isSh ? command : [shell, '-c', command];
  return withInput(isSh ? command : `exec ${shellWord(shell)} -c ${shellWord(command)}`, input);
}

function readDescription(comments: readonly string[]): string {
  return (
    comments
      .filter((line) => /[\p{L}\p{N}]/u.test(line))
      // eslint-disable-next-line no-control-regex
      .map((line) => line.replace(/[\u0000-\u001f\u007f-\u009f\ufffd]/g, ' ').trim())
      .join('\n')
      .slice(0, MAX_DESCRIPTION_LENGTH)
  );
}
