/** The configuration file: YAML whose findings name file and line. */
import { readFile } from 'node:fs/promises';
import type { Document, LineCounter } from 'yaml';
import { EtcronError } from '../errors.js';
import { nearest } from '../schedule/nearest.js';
import { yaml } from '../yaml-library.js';

export type ConfigPath = readonly (string | number)[];

export class ConfigFile {
  private constructor(
    readonly path: string,
    private readonly document: Document,
    private readonly lines: LineCounter,
    private readonly root: Readonly<Record<string, unknown>>,
  ) {}

  /**
   * Null when there is no such file. Rejects with `ETCRON_FILE_UNREADABLE` when it cannot be read and with
   * `ETCRON_CONFIG_INVALID` when it is no YAML mapping.
   */
  static async read(path: string): Promise<ConfigFile | null> {
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw new EtcronError(
        'ETCRON_FILE_UNREADABLE',
        `cannot read the configuration file ${path}: ${reasonOf(error)}`,
        {
          details: { file: path },
          cause: error,
        },
      );
    }
    const { LineCounter, parseDocument } = yaml();
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    const [problem] = document.errors;
    if (problem) throw invalid(path, lines.linePos(problem.pos[0]).line, problem.message);
    // JSON's null: an empty file, or nothing but comments.
    const root = (document.toJS() as unknown) ?? {};
    if (!isMapping(root))
      throw invalid(path, 1, 'the file must be a mapping, such as "etcd: {endpoints: [127.0.0.1:2379]}"');
    return new ConfigFile(path, document, lines, root);
  }

  /** What stands at a path, or undefined. */
  get(...path: string[]): unknown {
    return path.reduce<unknown>((value, key) => (isMapping(value) ? value[key] : undefined), this.root);
  }

  /** `etcron.yaml:3`: where the key, or the deepest part of the path that exists, stands. */
  where(path: ConfigPath): string {
    const { isMap, isNode, isScalar } = yaml();
    for (let length = path.length; length > 0; length -= 1) {
      const parent = this.document.getIn(path.slice(0, length - 1), true);
      const name = path[length - 1];
      const node = isMap(parent)
        ? parent.items.find(({ key }) => isScalar(key) && key.value === name)?.key
        : this.document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return `${this.path}:${this.lines.linePos(node.range[0]).line}`;
    }
    return this.path;
  }

  /** Throws `ETCRON_CONFIG_INVALID` for a key of the mapping at `path` that is not among `known`. */
  checkKeys(path: readonly string[], known: readonly string[]): void {
    const mapping = this.get(...path);
    if (mapping === undefined || mapping === null) return;
    const name = path.join('.');
    if (!isMapping(mapping)) throw this.invalid(path, `"${name}" must be a mapping of ${known.join(', ')}`);
    const unknown = Object.keys(mapping).find((key) => !known.includes(key));
    if (unknown === undefined) return;
    const [meant] = nearest(unknown, known, 1);
    const hint = meant === undefined ? `There are ${known.join(', ')}.` : `Did you mean "${meant}"?`;
    throw this.invalid([...path, unknown], `"${[...path, unknown].join('.')}" is no setting`, hint);
  }

  invalid(path: ConfigPath, problem: string, hint?: string): EtcronError {
    return new EtcronError('ETCRON_CONFIG_INVALID', `${this.where(path)}: ${problem}`, {
      details: { source: this.where(path), key: path.join('.') },
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** Why a file cannot be read, in plain words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'EISDIR') return 'it is a directory';
  return message;
}

function invalid(path: string, line: number, problem: string): EtcronError {
  const source = `${path}:${line}`;
  return new EtcronError('ETCRON_CONFIG_INVALID', `${source}: ${problem}`, { details: { source } });
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
