/** What the YAML parser has to say, in words that help somebody who has never read the YAML specification. */
import type { YAMLParseError, YAMLWarning } from 'yaml';
import { yaml } from '../yaml-library.js';
import { quote } from './printable.js';
import type { LocalProblem, PathSegment } from './problem.js';
import type { YamlDocument, YamlText } from './yaml-text.js';

/** A YAML finding, and whether it is confined to one value, so that the rest of the document can still be judged. */
export interface SyntaxProblem {
  readonly problem: LocalProblem;
  readonly confined: boolean;
}

/** `key: value` on one line, in block style or inside a map in braces. */
const VALUE_ON_LINE = /(?:^|[{,])\s*(?:- +)?(["']?)([\w.-]+)\1\s*:\s+([^\s,}][^,}]*)/g;

/** Characters that cannot begin a value without quotes, and what YAML takes them for. */
const INDICATORS: Readonly<Record<string, string>> = {
  '*': 'an alias',
  '&': 'an anchor',
  '!': 'a tag',
  '@': 'a reserved character',
  '`': 'a reserved character',
  '%': 'a directive',
};

/** The findings of one document, the first of each line. */
export function syntaxProblems(document: YamlDocument, text: YamlText): SyntaxProblem[] {
  const seen = new Set<number>();
  const problems: SyntaxProblem[] = [];
  const findings = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  for (const finding of findings) {
    const { line } = text.positionAt(finding.pos[0]);
    if (seen.has(line)) continue;
    seen.add(line);
    problems.push(explain(finding, document, text, line));
  }
  return problems;
}

/** The problem that a value such as `*daily` is taken for an alias; also for those that `yaml-value.ts` meets. */
export function unquotedValue(
  field: PathSegment | undefined,
  value: string,
): Pick<LocalProblem, 'message' | 'hint'> {
  const first = value[0] ?? '';
  const what = field === 'schedule' ? 'the schedule' : 'the value';
  const key = typeof field === 'string' ? `${field}: ` : '';
  return {
    message: `begins with ${quote(first)}, which YAML takes for ${INDICATORS[first] ?? 'something else'}`,
    hint: `put ${what} in quotes: ${key}${quote(value, 80)}`,
  };
}

function explain(
  finding: YAMLParseError | YAMLWarning,
  document: YamlDocument,
  text: YamlText,
  line: number,
): SyntaxProblem {
  const [offset] = finding.pos;
  const code = 'ETCRON_YAML_INVALID';
  if (finding.code === 'TAG_RESOLVE_FAILED') {
    const message = `${quote(text.text.slice(...finding.pos).trim())} is a YAML tag, which is not supported here`;
    return { problem: { code, path: [], message, offset }, confined: false };
  }
  const unquoted = unquotedValueOn(text, offset, line);
  if (unquoted !== null && finding.name === 'YAMLParseError') {
    const path = pathTo(document, unquoted.offset);
    const problem = {
      code,
      path,
      ...unquotedValue(unquoted.field, unquoted.value),
      offset: unquoted.offset,
    } as const;
    return { problem, confined: true };
  }
  const sentence = finding.message.replace(/\.$/, '');
  const message = `is not YAML: ${sentence[0]?.toLowerCase() ?? ''}${sentence.slice(1)}`;
  const hint = HINTS[finding.code];
  return {
    problem: { code, path: [], message, offset, ...(hint === undefined ? {} : { hint }) },
    confined: false,
  };
}

const HINTS: Readonly<Record<string, string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'put a value that contains ": " in quotes, or write it below a "|"',
  MULTILINE_IMPLICIT_KEY: 'put a value that contains ": " in quotes, or write it below a "|"',
  TAB_AS_INDENT: 'indent with spaces',
  UNEXPECTED_TOKEN:
    'a value that begins with [, {, " or \' must also end with its counterpart: put the whole in quotes',
  NON_STRING_KEY: 'put a value that begins with "{{" in quotes',
  BAD_INDENT: 'fields of the same map begin in the same column',
};

function unquotedValueOn(
  text: YamlText,
  offset: number,
  line: number,
): { field: string; value: string; offset: number } | null {
  const { column } = text.positionAt(offset);
  const start = offset - column + 1;
  const end = text.text.indexOf('\n', start);
  // Long enough for any schedule, short enough for a hostile line.
  const content = text.text
    .slice(start, Math.min(end < 0 ? text.text.length : end, start + 1_000))
    .replace(/\r$/, '');
  if (text.positionAt(start).line !== line) return null;
  let found: { field: string; value: string; offset: number } | null = null;
  for (const match of content.matchAll(VALUE_ON_LINE)) {
    const [whole, , field = '', rest = ''] = match;
    const value = rest.replace(/\s+#.*$/, '').trim();
    const at = start + match.index + whole.length - rest.length;
    if (at <= offset && (value[0] ?? '') in INDICATORS) found = { field, value, offset: at };
  }
  return found;
}

/** The keys of the maps around an offset. */
function pathTo(document: YamlDocument, offset: number): PathSegment[] {
  const { isMap, isScalar } = yaml();
  const path: PathSegment[] = [];
  let node: unknown = document.contents;
  while (isMap(node)) {
    const pair = node.items.findLast(
      (item) => isScalar(item.key) && (item.key.range?.[0] ?? Infinity) <= offset,
    );
    if (pair === undefined || !isScalar(pair.key)) break;
    path.push(String(pair.key.value));
    node = pair.value;
  }
  return path;
}
