/**
 * A file of jobs: one or more YAML documents, each with `jobs:` by name and its own `defaults:`. All its problems are
 * reported at once; a job without problems is good whatever stands beside it.
 */
import { checkJobName } from './job-name.js';
import type { Job } from './job.js';
import { MAX_FILE_BYTES, MAX_FILE_TOKENS, MAX_PROBLEMS } from './limits.js';
import { mergeDefaults } from './merge-defaults.js';
import { capped, isTextPath } from './parse-job.js';
import { describeValue } from './printable.js';
import { formatPath, type LocalProblem, type Problem } from './problem.js';
import { resolveJob } from './resolve.js';
import { FIELD_NAMES, type JobDefinition } from './schema.js';
import { unknownFieldHint } from './did-you-mean.js';
import { isMap, validateDefaults, validateDefinition } from './validate.js';
import { readDocument, withoutEchoes, type ReadDocument } from './yaml-document.js';
import { placeProblem, readYamlText, type YamlDocument, type YamlText } from './yaml-text.js';
import { isEmptyDocument } from './yaml-value.js';

export interface FileJob {
  /** With the `defaults:` of its document merged in. */
  readonly definition: JobDefinition;
  readonly job: Job;
  readonly source: string;
  readonly line: number;
}

export interface Place {
  readonly source: string;
  readonly line: number;
  readonly column: number;
}

export interface JobsFile {
  /** The good ones, in the order of the text. */
  readonly jobs: ReadonlyMap<string, FileJob>;
  readonly problems: readonly Problem[];
  /** Where each name is first defined, those of broken jobs included. */
  readonly places: ReadonlyMap<string, Place>;
}

/** Never throws. `source` is what the messages call the file. */
export function parseJobsFile(content: string | Uint8Array, source: string): JobsFile {
  const read = readYamlText(content, { maxBytes: MAX_FILE_BYTES, maxTokens: MAX_FILE_TOKENS });
  if (!read.ok) return { jobs: new Map(), problems: [{ ...read.problem, source }], places: new Map() };
  const reader = new JobsFileReader(read.value, source);
  const documents = read.value.documents.filter(
    (document) => !isEmptyDocument(document) || document.errors.length > 0,
  );
  for (const document of documents) reader.readDocument(document);
  if (documents.length === 0) reader.report(invalid([], NO_JOBS), 0);
  return { jobs: reader.jobs, problems: capped(reader.problems), places: reader.places };
}

/** The same name at two places. */
export function definedTwice(first: Place): Pick<Problem, 'code' | 'message' | 'hint'> {
  return {
    code: 'ETCRON_JOB_INVALID',
    message: `is defined twice, first at ${first.source}:${first.line}:${first.column}`,
    hint: 'rename or remove one of the two',
  };
}

const NO_JOBS = {
  message: 'holds no "jobs:"',
  hint: 'for a file that is empty on purpose, write "jobs: {}"',
};

const TOP_LEVEL = ['jobs', 'defaults'];

function invalid(path: readonly string[], what: Pick<LocalProblem, 'message' | 'hint'>): LocalProblem {
  return { code: 'ETCRON_JOB_INVALID', path, ...what };
}

class JobsFileReader {
  readonly jobs = new Map<string, FileJob>();
  readonly problems: Problem[] = [];
  readonly places = new Map<string, Place>();
  readonly #text: YamlText;
  readonly #source: string;

  constructor(text: YamlText, source: string) {
    this.#text = text;
    this.#source = source;
  }

  report(problem: LocalProblem, offset: number): void {
    this.problems.push({ ...placeProblem(problem, this.#text, offset), source: this.#source });
  }

  readDocument(yaml: YamlDocument): void {
    const document = readDocument(yaml, this.#text, (path) =>
      isTextPath(path.slice(path[0] === 'jobs' ? 2 : 1)),
    );
    this.#reportAll(document.problems, document);
    if (document.isBroken) return;
    const contents = document.value;
    if (!isMap(contents)) {
      const message = `must be a map with "jobs:", not ${describeValue(contents)}`;
      return this.#reportAll([invalid([], { message })], document);
    }
    const unknown = Object.keys(contents).filter((key) => !TOP_LEVEL.includes(key));
    this.#reportAll(unknown.map(unknownTopLevel), document);

    const wrongDefaults = this.#judgeDefaults(contents.defaults, document);
    if (isMap(contents.jobs)) {
      for (const [name, written] of Object.entries(contents.jobs)) {
        this.#readJob(name, mergeDefaults(contents.defaults, written), document, wrongDefaults);
      }
      return;
    }
    if (document.problems.some(({ path }) => path[0] === 'jobs' && path.length === 1)) return;
    const isMissing = contents.jobs === undefined || contents.jobs === null;
    const message = `must be a map of jobs by name, not ${describeValue(contents.jobs)}`;
    const wrong = isMissing ? invalid([], NO_JOBS) : invalid(['jobs'], { message });
    this.#reportAll([wrong], document);
  }

  /** Returns what is wrong with the defaults, by paths below them: reported here, not again for each job. */
  #judgeDefaults(defaults: unknown, document: ReadDocument): LocalProblem[] {
    const unread = document.problems.filter(({ path }) => path[0] === 'defaults');
    const found = defaults === undefined || defaults === null ? [] : validateDefaults(defaults);
    const problems = found.map((problem) => ({ ...problem, path: ['defaults', ...problem.path] }));
    this.#reportAll(withoutEchoes(problems, unread), document);
    return [...unread, ...problems].map((problem) => ({ ...problem, path: problem.path.slice(1) }));
  }

  #readJob(
    name: string,
    merged: unknown,
    document: ReadDocument,
    wrongDefaults: readonly LocalProblem[],
  ): void {
    const path = ['jobs', name];
    const position = this.#text.positionAt(document.locate(path, true).offset);
    const first = this.places.get(name);
    if (first !== undefined)
      return this.#reportAll([{ ...definedTwice(first), path, atKey: true }], document);
    this.places.set(name, { source: this.#source, ...position });

    const nameProblem = checkJobName(name);
    if (nameProblem !== null) this.#reportAll([{ ...nameProblem, path, atKey: true }], document);
    const unread = document.problems.filter(
      (problem) => problem.path[0] === 'jobs' && problem.path[1] === name,
    );
    const result = validateDefinition(merged, name);
    if (!result.ok) this.#reportJob(name, result.problems, document, wrongDefaults);
    else if (nameProblem === null && unread.length === 0 && wrongDefaults.length === 0) {
      const job = resolveJob(name, result.definition);
      this.jobs.set(name, { definition: result.definition, job, source: this.#source, line: position.line });
    }
  }

  #reportJob(
    name: string,
    problems: readonly LocalProblem[],
    document: ReadDocument,
    wrongDefaults: readonly LocalProblem[],
  ): void {
    for (const problem of problems.slice(0, MAX_PROBLEMS)) {
      const path = ['jobs', name, ...problem.path];
      const own = document.locate(path, problem.atKey);
      const inherited = document.locate(['defaults', ...problem.path], problem.atKey);
      const isInherited = !own.exact && inherited.exact;
      if (isInherited && wrongDefaults.some((wrong) => formatPath(wrong.path) === formatPath(problem.path)))
        continue;
      const [shown] = withoutEchoes([{ ...problem, path }], document.problems);
      if (shown !== undefined) this.report(shown, isInherited ? inherited.offset : own.offset);
    }
  }

  #reportAll(problems: readonly LocalProblem[], document: ReadDocument): void {
    for (const problem of problems) this.report(problem, document.locate(problem.path, problem.atKey).offset);
  }
}

function unknownTopLevel(key: string): LocalProblem {
  const hint = FIELD_NAMES[''].includes(key)
    ? 'a job stands under "jobs:", below its name'
    : unknownFieldHint(key, TOP_LEVEL);
  return { ...invalid([key], { message: 'is not known here', hint }), atKey: true };
}
