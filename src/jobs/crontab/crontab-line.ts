/** What one line of a crontab says, read as cron reads it (crontab(5) of cronie and of Debian's Vixie cron). */

export type CrontabLine =
  | { readonly kind: 'blank' }
  | { readonly kind: 'comment'; readonly text: string }
  | { readonly kind: 'setting'; readonly name: string; readonly value: string }
  | {
      readonly kind: 'entry';
      readonly schedule: string;
      /** Null in the crontab of a user. */
      readonly user: string | null;
      /** Up to the end of the line: cron knows no comment behind a command. */
      readonly command: string;
    }
  | { readonly kind: 'unknown'; readonly message: string };

/** Those of FreeBSD that say no more than five or six fields do. */
const MACROS: Readonly<Record<string, string>> = {
  '@every_minute': '* * * * *',
  '@every_second': '* * * * * *',
};

const SETTING = /^(?:"([^"]*)"|'([^']*)'|([^\s="']+))\s*=\s*(.*)$/s;
const ENTRY = /^(@\S+|(?:\S+\s+){4}\S+)(?:\s+(.*))?$/s;
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.-]*\$?(?::[^\s/]*)?(?:\/\S*)?$/;

/** `system`: the crontab names a user between schedule and command, as /etc/crontab and /etc/cron.d/* do. */
export function readCrontabLine(line: string, system: boolean): CrontabLine {
  const text = line.replace(/^[ \t]+/, '').replace(/\r$/, '');
  if (text.trim() === '') return { kind: 'blank' };
  if (text.startsWith('#')) return { kind: 'comment', text: text.replace(/^#+ ?/, '').trimEnd() };
  return readSetting(text) ?? readEntry(text, system);
}

function readSetting(text: string): CrontabLine | null {
  const match = SETTING.exec(text);
  if (!match) return null;
  const name = match[1] ?? match[2] ?? match[3] ?? '';
  const value = unquoted((match[4] ?? '').trimEnd());
  if (value !== null) return { kind: 'setting', name, value };
  return { kind: 'unknown', message: `the value of ${name} has a quote without its partner` };
}

/** Quotes keep the blanks at both ends and must enclose the whole value; inside and elsewhere all is literal. */
function unquoted(value: string): string | null {
  const quote = value[0];
  if (quote !== '"' && quote !== "'") return value;
  return value.length > 1 && value.indexOf(quote, 1) === value.length - 1 ? value.slice(1, -1) : null;
}

function readEntry(text: string, system: boolean): CrontabLine {
  const match = ENTRY.exec(text);
  if (!match) {
    return {
      kind: 'unknown',
      message: 'is neither a comment, nor NAME=value, nor five fields and a command',
    };
  }
  const schedule = readScheduleText(match[1] ?? '');
  const rest = match[2] ?? '';
  if (!system) return entry(schedule, null, rest);
  const [, user = '', command = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  if (USER.test(user)) return entry(schedule, user.replace(/[:/].*$/, ''), command);
  const message = 'names no user before the command; the crontab of a user is read without --system';
  return { kind: 'unknown', message };
}

function entry(schedule: string, user: string | null, written: string): CrontabLine {
  const command = /\\[ \t]+$/.test(written) ? written : written.trimEnd();
  if (command === '') return { kind: 'unknown', message: 'has a schedule and no command' };
  if (!command.startsWith('-')) return { kind: 'entry', schedule, user, command };
  const message = `begins its command with the options ${command.split(/\s/)[0]} of another system's cron`;
  return { kind: 'unknown', message };
}

/** Without the `-` before the minute, with which SUSE's and Debian's cron keep an entry out of the system log. */
function readScheduleText(text: string): string {
  const schedule = text.replace(/^-/, '').replace(/\s+/g, ' ');
  return MACROS[schedule.toLowerCase()] ?? schedule;
}
