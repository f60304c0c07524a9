/**
 * Text of unknown origin to YAML documents, without trusting it: its size, encoding, nesting and number of tokens are
 * bounded before the recursive part of the parser sees it. JSON is YAML here, which gives both the same line numbers.
 * Duplicate keys are left to `yaml-value.ts`: the library's own check takes quadratic time.
 */
import type { CST, Document, LineCounter, ParsedNode } from 'yaml';
import { messageOf } from '../errors.js';
import { yaml } from '../yaml-library.js';
import { MAX_NESTING } from './limits.js';
import { printable } from './printable.js';
import { formatPath, type LocalProblem, type PathSegment, type Problem } from './problem.js';

export type YamlDocument = Document.Parsed<ParsedNode>;

export interface TextBounds {
  readonly maxBytes: number;
  readonly maxTokens: number;
}

export interface YamlText {
  readonly text: string;
  readonly documents: readonly YamlDocument[];
  /** 1-based. */
  readonly positionAt: (offset: number) => { line: number; column: number };
}

type Outcome<T> = { ok: true; value: T } | { ok: false; problem: Problem };

/** The documents of a text, empty ones included. Their own `errors` are not judged here. Never throws. */
export function readYamlText(source: string | Uint8Array, bounds: TextBounds): Outcome<YamlText> {
  const decoded = decode(source, bounds.maxBytes);
  if (!decoded.ok) return decoded;
  const text = decoded.value;
  const { Composer, LineCounter } = yaml();
  const lines = new LineCounter();
  const positionAt = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  try {
    const tokens = tokenize(text, lines, bounds.maxTokens, positionAt);
    if (!tokens.ok) return tokens;
    const composer = new Composer({
      lineCounter: lines,
      prettyErrors: false,
      schema: 'core',
      stringKeys: true,
      uniqueKeys: false,
      version: '1.2',
    });
    const documents = [...composer.compose(tokens.value, true, text.length)];
    return { ok: true, value: { text, documents, positionAt } };
  } catch (error) {
    return unreadable(`cannot be read as YAML: ${printable(messageOf(error))}`);
  }
}

function tokenize(
  text: string,
  lines: LineCounter,
  maxTokens: number,
  positionAt: YamlText['positionAt'],
): Outcome<CST.Token[]> {
  const { Lexer, Parser } = yaml();
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens: CST.Token[] = [];
  let count = 0;
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) tokens.push(token);
    // One level for the document itself, and one for the scalar in the innermost collection.
    if (parser.stack.length > MAX_NESTING + 2) {
      const { line, column } = positionAt(parser.offset);
      return unreadable(`is nested more than ${MAX_NESTING} levels deep`, undefined, { line, column });
    }
    if (++count > maxTokens) return unreadable(`is too long: it has more than ${maxTokens} YAML tokens`);
  }
  for (const token of parser.end()) tokens.push(token);
  return { ok: true, value: tokens };
}

function decode(source: string | Uint8Array, maxBytes: number): Outcome<string> {
  const bytes = typeof source === 'string' ? Buffer.byteLength(source) : source.length;
  if (bytes > maxBytes)
    return unreadable(`is too long: it has ${bytes} bytes, at most ${maxBytes} are allowed`);
  if (typeof source === 'string') return { ok: true, value: source.replace(/^\ufeff/, '') };
  try {
    return { ok: true, value: new TextDecoder('utf-8', { fatal: true }).decode(source) };
  } catch {
    return unreadable('is not text in UTF-8', 'save it in UTF-8');
  }
}

function unreadable(
  message: string,
  hint?: string,
  position: { line: number; column: number } = { line: 1, column: 1 },
): { ok: false; problem: Problem } {
  const code = 'ETCRON_YAML_INVALID';
  return {
    ok: false,
    problem: { code, path: '', message, ...(hint === undefined ? {} : { hint }), ...position },
  };
}

/** Gives a problem its place in the text. */
export function placeProblem(
  problem: LocalProblem,
  text: YamlText,
  offset: number,
  above: readonly PathSegment[] = [],
): Problem {
  const { code, message, hint } = problem;
  const path = formatPath([...above, ...problem.path]);
  const { line, column } = text.positionAt(problem.offset ?? offset);
  return {
    code,
    path,
    message: printable(message),
    ...(hint === undefined ? {} : { hint: printable(hint) }),
    line,
    column,
  };
}
