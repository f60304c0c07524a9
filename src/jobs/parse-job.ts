/**
 * From the text of one definition, whoever wrote it and however, to a job. Every node does this with every value under
 * the prefix of the jobs, so it must never throw, hang or grow: see `limits.ts` and `yaml-text.ts`.
 */
import { checkJobName } from './job-name.js';
import type { Job } from './job.js';
import { MAX_DEFINITION_BYTES, MAX_DEFINITION_TOKENS, MAX_PROBLEMS } from './limits.js';
import type { LocalProblem, PathSegment, Problem } from './problem.js';
import { resolveJob } from './resolve.js';
import type { JobDefinition } from './schema.js';
import { validateDefinition } from './validate.js';
import { readDocument, withoutEchoes } from './yaml-document.js';
import { placeProblem, readYamlText, type YamlText } from './yaml-text.js';
import { isEmptyDocument } from './yaml-value.js';

export type JobParse =
  | { readonly ok: true; readonly job: Job; readonly definition: JobDefinition }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Fields in which a number or a boolean stands for the text that was written: `VERSION: 1.10` is "1.10". */
const TEXT_FIELDS: ReadonlySet<PathSegment | undefined> = new Set([
  'command',
  'env',
  'target',
  'user',
  'group',
  'umask',
  'stdin',
  'description',
  'labels',
]);

const TEXT_FIELDS_OF_HTTP: ReadonlySet<PathSegment | undefined> = new Set([
  'headers',
  'body',
  'expectStatus',
]);

/** Whether numbers and booleans at this path of a definition are taken as text. */
export function isTextPath(path: readonly PathSegment[]): boolean {
  return TEXT_FIELDS.has(path[0]) || (path[0] === 'http' && TEXT_FIELDS_OF_HTTP.has(path[1]));
}

/**
 * The job `name` as defined by `text`, in JSON or YAML: or all problems with it, each with line and column.
 * Never throws, whatever the bytes.
 */
export function parseJobValue(name: string, text: string | Uint8Array): JobParse {
  const nameProblem = checkJobName(name);
  const parsed =
    nameProblem === null ? (parseCompactJson(name, text) ?? parseYaml(name, text)) : parseYaml(name, text);
  const problems = parsed.ok ? [] : parsed.problems;
  if (nameProblem !== null) return { ok: false, problems: [nameProblem, ...problems] };
  return parsed.ok
    ? { ok: true, definition: parsed.definition, job: resolveJob(name, parsed.definition) }
    : parsed;
}

type DefinitionParse =
  | { readonly ok: true; readonly definition: JobDefinition }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * The short way for JSON as programs write it, etcron among them: a third of the time that YAML takes. Null when it is
 * anything else, or wrong. Text that comes out again as it went in hides nothing: no key twice, no number such as `1.10`.
 */
function parseCompactJson(name: string, source: string | Uint8Array): DefinitionParse | null {
  if (source.length > MAX_DEFINITION_BYTES) return null;
  const text = typeof source === 'string' ? source : Buffer.from(source).toString('utf8');
  if (!text.startsWith('{"') || text.includes('__proto__')) return null;
  try {
    const value: unknown = JSON.parse(text);
    if (JSON.stringify(value) !== text) return null;
    const result = validateDefinition(value, name);
    return result.ok ? result : null;
  } catch {
    return null;
  }
}

function parseYaml(name: string, source: string | Uint8Array): DefinitionParse {
  const read = readYamlText(source, { maxBytes: MAX_DEFINITION_BYTES, maxTokens: MAX_DEFINITION_TOKENS });
  if (!read.ok) return { ok: false, problems: [read.problem] };
  const text = read.value;
  const [document, second] = text.documents;
  if (second !== undefined) {
    const message = `holds ${text.documents.length} YAML documents, but one definition is one document`;
    return oneProblem(text, { code: 'ETCRON_YAML_INVALID', path: [], message, offset: second.range[0] });
  }
  if (document === undefined || isEmptyDocument(document)) {
    return oneProblem(text, { code: 'ETCRON_JOB_INVALID', path: [], message: 'is empty' });
  }
  const { value, problems, locate, isBroken } = readDocument(document, text, isTextPath);
  const result = isBroken ? null : validateDefinition(value, name);
  if (result?.ok === true && problems.length === 0) return result;
  const judged = result?.ok === false ? withoutEchoes(result.problems, problems) : [];
  const placed = [...problems, ...judged].map((problem) =>
    placeProblem(problem, text, locate(problem.path, problem.atKey).offset),
  );
  return { ok: false, problems: capped(placed) };
}

function oneProblem(text: YamlText, problem: LocalProblem): { ok: false; problems: Problem[] } {
  return { ok: false, problems: [placeProblem(problem, text, 0)] };
}

/** In the order of the text, and no more than a person will read. */
export function capped(problems: readonly Problem[]): Problem[] {
  const sorted = [...problems].sort(
    (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
  const rest = sorted.length - MAX_PROBLEMS;
  if (rest <= 0) return sorted;
  const message = `and ${rest} more ${rest === 1 ? 'problem' : 'problems'}`;
  return [...sorted.slice(0, MAX_PROBLEMS), { code: 'ETCRON_JOB_INVALID', path: '', message }];
}
