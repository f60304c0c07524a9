import type { LocalProblem, PathSegment } from './problem.js';
import { syntaxProblems } from './yaml-syntax.js';
import type { YamlDocument, YamlText } from './yaml-text.js';
import { toYamlValue, type YamlValue } from './yaml-value.js';

export interface ReadDocument extends YamlValue {
  /** An error may have moved the structure of the document: further findings would only mislead. */
  readonly isBroken: boolean;
}

/** A document's data together with everything that kept parts of it from being read. */
export function readDocument(
  document: YamlDocument,
  text: YamlText,
  isText: (path: readonly PathSegment[]) => boolean,
): ReadDocument {
  const syntax = syntaxProblems(document, text);
  const value = toYamlValue(document, text, isText);
  const isBroken = syntax.some(({ confined }) => !confined);
  const found = syntax.map(({ problem }) => problem);
  const own = isBroken ? [] : withoutEchoes(value.problems, found);
  return { ...value, problems: [...found, ...own], isBroken };
}

/** Those of `problems` that do not merely follow from one of `causes` at the same place or around it. */
export function withoutEchoes(
  problems: readonly LocalProblem[],
  causes: readonly LocalProblem[],
): LocalProblem[] {
  return problems.filter(
    ({ path }) => !causes.some((cause) => cause.path.every((part, i) => path[i] === part)),
  );
}
