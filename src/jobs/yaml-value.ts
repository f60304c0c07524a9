/**
 * A YAML document as plain data. Done here rather than by the library's `toJS`, to keep what that loses or lets pass:
 * where each part stands, the text of numbers where a string is wanted (`VERSION: 1.10`), duplicate keys, `__proto__`.
 * An alias stands for the very value of its anchor, which is already made, so that no "bomb" of aliases can grow and no
 * anchor can contain itself.
 */
import type { Node, Pair } from 'yaml';
import { yaml } from '../yaml-library.js';
import type { LocalProblem, PathSegment } from './problem.js';
import type { YamlDocument, YamlText } from './yaml-text.js';
import { unquotedValue } from './yaml-syntax.js';

export interface YamlValue {
  readonly value: unknown;
  readonly problems: readonly LocalProblem[];
  /** Where the part at `path` stands: its own offset, or that of the nearest part around it that exists. */
  readonly locate: (path: readonly PathSegment[], atKey?: boolean) => { offset: number; exact: boolean };
}

/** `isText` says at which paths a number or boolean stands for its own text. */
export function toYamlValue(
  document: YamlDocument,
  text: YamlText,
  isText: (path: readonly PathSegment[]) => boolean,
): YamlValue {
  const { isAlias, isMap, isScalar, isSeq } = yaml();
  const anchors = new Map<string, { node: Node; value: unknown }>();
  const targets = new Map<Node, Node>();
  const pairs = new Map<Node, Map<string, Pair>>();
  const problems: LocalProblem[] = [];
  const report = (path: readonly PathSegment[], offset: number, message: string, hint?: string): void => {
    problems.push({
      code: 'ETCRON_YAML_INVALID',
      path,
      message,
      offset,
      ...(hint === undefined ? {} : { hint }),
    });
  };

  const convert = (node: unknown, path: readonly PathSegment[]): unknown => {
    if (isAlias(node)) {
      const target = anchors.get(node.source);
      if (target === undefined) {
        const unquoted = unquotedValue(path.at(-1), `*${node.source}`);
        report(path, startOf(node), unquoted.message, unquoted.hint);
        return null;
      }
      targets.set(node, target.node);
      return isScalar(target.node) ? convertBare(target.node, path) : target.value;
    }
    const value = convertBare(node, path);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    if (anchor !== undefined) anchors.set(anchor, { node: node as Node, value });
    return value;
  };

  const convertBare = (node: unknown, path: readonly PathSegment[]): unknown => {
    if (isScalar(node)) {
      const isOther = typeof node.value === 'number' || typeof node.value === 'boolean';
      return isOther && isText(path) ? (node.source ?? String(node.value)) : node.value;
    }
    if (isSeq(node)) return node.items.map((item, index) => convert(item, [...path, index]));
    if (!isMap(node)) return null;
    const map: Record<string, unknown> = {};
    const seen = new Map<string, Pair>();
    pairs.set(node, seen);
    for (const pair of node.items) {
      const { key, value } = pair;
      const name = isScalar(key) ? String(key.value) : '';
      const here = [...path, name];
      const offset = startOf(key);
      const first = seen.get(name);
      if (first !== undefined) {
        const { line, column } = text.positionAt(startOf(first.key));
        report(
          here,
          offset,
          `is written twice, first at ${line}:${column}`,
          'rename or remove one of the two',
        );
      } else if (name === '__proto__') report(here, offset, 'is not allowed as a name');
      else {
        seen.set(name, pair);
        map[name] = convert(value, here);
      }
    }
    return map;
  };

  const locate: YamlValue['locate'] = (path, atKey = false) => {
    let node: unknown = document.contents;
    let offset = startOf(node);
    for (const [index, segment] of path.entries()) {
      if (isAlias(node)) node = targets.get(node);
      if (isSeq(node) && typeof segment === 'number' && segment < node.items.length) {
        node = node.items[segment];
        offset = startOf(node);
        continue;
      }
      const pair = isMap(node) ? pairs.get(node)?.get(String(segment)) : undefined;
      if (pair === undefined) return { offset, exact: false };
      node = pair.value;
      const isShown = isScalar(node) && node.source !== '' && node.range !== undefined;
      const isKeyMeant = atKey && index === path.length - 1;
      offset = startOf((isShown || isAlias(node)) && !isKeyMeant ? node : pair.key);
    }
    return { offset, exact: true };
  };

  return { value: convert(document.contents, []), problems, locate };
}

function startOf(node: unknown): number {
  const { isAlias, isMap, isScalar, isSeq } = yaml();
  return isAlias(node) || isScalar(node) || isMap(node) || isSeq(node) ? (node.range?.[0] ?? 0) : 0;
}

/** For messages about a document that is not what it should be. */
export function isEmptyDocument(document: YamlDocument): boolean {
  const { contents } = document;
  return (
    contents === null ||
    (yaml().isScalar(contents) && contents.value === null && (contents.source ?? '') === '')
  );
}
