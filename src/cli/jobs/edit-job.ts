import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { EtcronError } from '../../errors.js';
import {
  parseJobValue,
  quote,
  serializeDefinition,
  YAML_STYLE,
  type JobDefinition,
  type Problem,
} from '../../jobs/index.js';
import type { JobEntry } from '../../view/job-entry.js';
import type { CliContext } from '../context.js';
import { bodyOf, isEmptied, withHeading } from './edit-text.js';
import { findJob } from '../../operations/find-job.js';
import { putJob } from '../../operations/put-job.js';
import { openEditor } from './open-editor.js';

/** An editor that is a program and mistaken each time in another way would go on for ever. */
const MAX_ROUNDS = 50;

/**
 * Lets the user change one definition in an editor. The text lies in a file of its own, which is removed only when
 * nothing can be lost with it: every error names it. No connection is held while the editor is open.
 */
export async function editJob(context: CliContext, name: string): Promise<void> {
  const { entry, key } = await context.withStore(async (cluster) => ({
    entry: await findJob(cluster, name),
    key: cluster.keys.job(name),
  }));
  const before = readDefinition(entry);
  const folder = await mkdtemp(join(tmpdir(), 'etcron-edit-'));
  const path = join(folder, 'job.yaml');
  let changed: boolean;
  try {
    const after = await letEdit(context, path, entry, key, before);
    changed =
      after !== null && (before === null || serializeDefinition(before) !== serializeDefinition(after));
    if (changed) {
      const text = serializeDefinition(after!);
      await context.withOperations((cluster) => putJob(cluster, name, text, { revision: entry.modRevision }));
    }
  } catch (error) {
    throw withPlaceOfText(error, path);
  }
  await rm(folder, { recursive: true });
  if (context.json) context.out.json({ name, changed });
  else context.out.line(changed ? `changed ${name}` : `${name} was left as it is`);
}

function readDefinition(entry: JobEntry): JobDefinition | null {
  const parsed = parseJobValue(entry.name, entry.kv.value);
  return parsed.ok ? parsed.definition : null;
}

/** The definition that the user saved; null when the job is to stay as it is. */
async function letEdit(
  context: CliContext,
  path: string,
  entry: JobEntry,
  key: string,
  before: JobDefinition | null,
): Promise<JobDefinition | null> {
  const about = `Job ${quote(entry.name)}: ${key}, revision ${entry.modRevision}`;
  const original =
    before === null
      ? entry.kv.value.toString('utf8')
      : stringify(JSON.parse(serializeDefinition(before)), YAML_STYLE);
  let body = original;
  let problems: readonly Problem[] = entry.problems;
  for (let round = 1; round <= MAX_ROUNDS; round += 1) {
    await writeFile(path, withHeading(about, body, problems), { mode: 0o600 });
    await openEditor(path, context.environment.env);
    const edited = bodyOf(await readFile(path, 'utf8'));
    if (isEmptied(edited) || edited === original) return null;
    const parsed = parseJobValue(entry.name, edited);
    if (parsed.ok) return parsed.definition;
    problems = parsed.problems;
    if (edited === body) break;
    body = edited;
  }
  // The file as the next round would show it, for whoever goes on from there.
  await writeFile(path, withHeading(about, body, problems));
  throw new EtcronError(
    'ETCRON_JOB_INVALID',
    `${quote(entry.name)} was left as it is: the text has mistakes`,
    {
      details: { problems: problems.map((problem) => ({ ...problem, source: entry.name })) },
    },
  );
}

/** The same error, saying where the text is. */
function withPlaceOfText(error: unknown, path: string): unknown {
  if (!(error instanceof EtcronError)) return error;
  const { code, message, hint, details, cause } = error;
  const place = `Your text is kept in ${path}.`;
  return new EtcronError(code, message, {
    hint:
      hint === undefined
        ? `${place} Edit the job again and take over from there what you need.`
        : `${hint} ${place}`,
    details: { ...details, file: path },
    cause,
  });
}
