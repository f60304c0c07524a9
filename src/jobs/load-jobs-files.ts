import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { definedTwice, parseJobsFile, type FileJob, type JobsFile, type Place } from './jobs-file.js';
import { formatPath, type Problem } from './problem.js';

export interface LoadOptions {
  /** What `-` reads; the process's own standard input by default. */
  stdin?: AsyncIterable<Uint8Array>;
}

/**
 * The jobs of several files as one set; `-` is the standard input. A file that cannot be read is a problem like any
 * other (ETCRON_FILE_UNREADABLE). Where there are problems, `jobs` is not the whole set: do not delete by it.
 */
export async function loadJobsFiles(paths: readonly string[], options: LoadOptions = {}): Promise<JobsFile> {
  const jobs = new Map<string, FileJob>();
  const places = new Map<string, Place>();
  const problems: Problem[] = [];
  for (const path of paths) {
    const content = await readSource(path, options);
    if (!(content instanceof Uint8Array)) {
      problems.push(content);
      continue;
    }
    const file = parseJobsFile(content, path === '-' ? '<stdin>' : path);
    problems.push(...file.problems);
    for (const [name, place] of file.places) {
      const first = places.get(name);
      if (first === undefined) {
        places.set(name, place);
        const job = file.jobs.get(name);
        if (job !== undefined) jobs.set(name, job);
      } else {
        problems.push({ ...definedTwice(first), path: formatPath(['jobs', name]), ...place });
      }
    }
  }
  return { jobs, problems, places };
}

/** The bytes of a file, or of the standard input for `-`; or why it cannot be read. */
export async function readSource(path: string, options: LoadOptions = {}): Promise<Uint8Array | Problem> {
  try {
    return path === '-' ? await buffer(options.stdin ?? process.stdin) : await readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const message = `cannot be read: ${REASONS[code] ?? code}`;
    return { code: 'ETCRON_FILE_UNREADABLE', path: '', message, source: path };
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'part of its path is not a directory',
};
