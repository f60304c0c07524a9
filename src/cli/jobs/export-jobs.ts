import { EtcronError } from '../../errors.js';
import { listRange } from '../../etcd/listing.js';
import { prefixRange } from '../../etcd/store.js';
import {
  MAX_FILE_BYTES,
  parseJobValue,
  renderJobsFile,
  type JobDefinition,
  type Problem,
} from '../../jobs/index.js';
import { printableJson } from '../../jobs/printable.js';
import type { CliContext } from '../context.js';
import type { Cluster } from '../environment.js';
import { plural } from '../../plural.js';
import { writeNewFile } from '../write-new-file.js';
import { jobNotFound } from '../../operations/find-job.js';
import { ownerOf, readMarks } from '../../apply/job-sets.js';

export interface ExportOptions {
  readonly set?: string;
  readonly output?: string;
}

/**
 * Writes the good ones of the jobs first, by name, and rejects then with ETCRON_JOB_INVALID when others are broken. With
 * `--json` the file is JSON, which `apply` takes as well.
 */
export async function exportJobs(
  context: CliContext,
  names: readonly string[],
  options: ExportOptions,
): Promise<void> {
  const { jobs, problems, broken } = await context.withStore((cluster) => readJobs(cluster, names, options));
  const text = context.json
    ? `${printableJson(JSON.stringify({ jobs: Object.fromEntries(jobs) }, null, 2))}\n`
    : renderJobsFile(jobs);
  if (options.output === undefined) context.environment.stdout.write(text);
  else {
    await writeNewFile(options.output, text);
    context.out.note(`${plural(jobs.size, 'job')} in ${options.output}`);
  }
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    context.out.warn(
      'the file is larger than apply takes (1 MiB); export the jobs in several parts, by name',
    );
    context.exitCode = 1;
  }
  if (broken === 0) return;
  throw new EtcronError('ETCRON_JOB_INVALID', `${plural(broken, 'broken job')} left out`, {
    hint: 'Mend each with "etcron jobs edit", or delete it with "etcron jobs delete".',
    details: { problems },
  });
}

async function readJobs(
  cluster: Cluster,
  names: readonly string[],
  { set }: ExportOptions,
): Promise<{ jobs: Map<string, JobDefinition>; problems: Problem[]; broken: number }> {
  const { store, keys } = cluster;
  const { kvs } = await listRange(store, prefixRange(keys.jobs), { pageSize: 1_000 });
  const marks = set === undefined ? null : await readMarks(cluster);
  for (const name of names) if (!kvs.has(keys.job(name))) throw await jobNotFound(cluster, name);
  const wanted = new Set(names);
  const jobs = new Map<string, JobDefinition>();
  const problems: Problem[] = [];
  let broken = 0;
  for (const [key, kv] of kvs) {
    const name = key.slice(keys.jobs.length);
    if (wanted.size > 0 && !wanted.has(name)) continue;
    if (marks && ownerOf(kv, marks.get(name)) !== set) continue;
    const parsed = parseJobValue(name, kv.value);
    if (parsed.ok) jobs.set(name, parsed.definition);
    else {
      broken += 1;
      problems.push(...parsed.problems.map((problem) => ({ ...problem, source: key })));
    }
  }
  return { jobs, problems, broken };
}
