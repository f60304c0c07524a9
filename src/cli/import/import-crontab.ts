import { EtcronError } from '../../errors.js';
import {
  definitionsOf,
  importCrontab,
  parseJobsFile,
  printable,
  readSource,
  renderImport,
  type CrontabImport,
  type ImportFinding,
} from '../../jobs/index.js';
import { printableJson } from '../../jobs/printable.js';
import { assertTimeZone } from '../../schedule/index.js';
import type { CliContext } from '../context.js';
import { filesError } from '../jobs/read-files.js';
import { plural } from '../../plural.js';
import { writeNewFile } from '../write-new-file.js';

export interface ImportOptions {
  readonly system?: boolean;
  readonly tz?: string;
  readonly output?: string;
  readonly strict?: boolean;
}

/**
 * Writes the file of jobs first and says then what is missing in it; with `strict` that is ETCRON_IMPORT_INCOMPLETE. With
 * `--json` the result is `{ jobs, findings }` instead of YAML.
 */
export async function importCrontabFile(
  context: CliContext,
  path: string,
  options: ImportOptions,
): Promise<void> {
  if (options.tz !== undefined) assertTimeZone(options.tz);
  const content = await readSource(path, { stdin: context.environment.stdin });
  if (!(content instanceof Uint8Array)) throw filesError([content]);
  const source = path === '-' ? '<stdin>' : path;
  const imported = importCrontab(content, {
    system: options.system === true,
    timeZone: options.tz ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
  });
  const yaml = renderImport(imported, source);
  const { problems } = parseJobsFile(yaml, source);
  // A crontab of tens of thousands of lines makes a file beyond the limits.
  if (problems.length > 0) throw filesError(problems);

  const text = context.json ? jsonOf(imported) : yaml;
  if (options.output !== undefined) await writeNewFile(options.output, text);
  else context.environment.stdout.write(text);
  report(context, source, imported, options);
}

function report(
  context: CliContext,
  source: string,
  { jobs, findings }: CrontabImport,
  options: ImportOptions,
): void {
  const { out } = context;
  for (const finding of findings) out.warn(printable(describe(source, finding)));
  const lost = findings.filter(({ lost }) => lost === 'entry').length;
  const where = options.output === undefined ? '' : ` in ${printable(options.output)}`;
  out.note(`${plural(jobs.length, 'job')}${where}, ${plural(lost, 'line')} left out`);
  if (options.strict !== true || findings.length === 0) return;
  const message = `${plural(findings.length, 'thing')} in ${source} cannot be carried over`;
  throw new EtcronError('ETCRON_IMPORT_INCOMPLETE', message, {
    hint: 'Each is listed above with its line; change the crontab, or import without --strict.',
    details: { findings },
  });
}

/** `crontab:7,9: … (left out)`. */
function describe(source: string, { lines, lost, message, hint }: ImportFinding): string {
  const verdict = lost === 'entry' ? 'left out: ' : '';
  return `${source}:${lines.join(',')}: ${verdict}${message}${hint === undefined ? '' : `. ${hint}`}`;
}

function jsonOf(imported: CrontabImport): string {
  const result = { jobs: definitionsOf(imported), findings: imported.findings };
  return `${printableJson(JSON.stringify(result, null, 2))}\n`;
}
