/** What `etcron dev` says once everything runs: where things are, and what to try. */
import pc from 'picocolors';
import { DEFAULT_PREFIX } from '../../etcd/keys.js';

export interface HeaderFacts {
  /** Null for an etcd that is not ours. */
  readonly etcdVersion: string | null;
  readonly endpoints: readonly string[];
  readonly prefix: string;
  /** Null when the data is temporary, or not ours. */
  readonly dataDir: string | null;
  readonly etcdctl: string;
  readonly logDir: string;
  /** Where the page is; null: nowhere. */
  readonly page: string | null;
  /** What is known of the jobs in etcd, such as `5 jobs (5 created from jobs.yaml)`. */
  readonly jobs: string;
  readonly workers: readonly { readonly name: string; readonly pid: number }[];
}

const EXAMPLE_JOB = '{"schedule":"*/5 * * * * *","command":"echo hello"}';

/** Lines without line ends; none is cut, since some are there to be pasted. */
export function formatHeader(facts: HeaderFacts, colors: boolean): string[] {
  const c = pc.createColors(colors);
  const { endpoints, prefix, workers } = facts;
  const list = endpoints.join(',');
  const data =
    facts.etcdVersion === null
      ? ''
      : facts.dataDir === null
        ? ', data deleted at the end'
        : `, data in ${facts.dataDir}`;
  const version = facts.etcdVersion === null ? 'etcd' : `etcd ${facts.etcdVersion}`;
  const prefixFlag = prefix === DEFAULT_PREFIX ? '' : ` --prefix ${prefix}`;
  const row = (name: string, text: string): string => `${c.bold(name.padEnd(8))} ${text}`;
  return [
    '',
    row('etcd', `${version} at ${list}${data}`),
    ...(facts.page === null ? [] : [row('page', c.cyan(facts.page))]),
    row('jobs', facts.jobs),
    row('add one', c.cyan(`${facts.etcdctl} --endpoints=${list} put ${prefix}/jobs/hello '${EXAMPLE_JOB}'`)),
    row('look', c.cyan(`npx etcron --endpoints ${list}${prefixFlag} status`)),
    row('logs', facts.logDir),
    ...workers.map(({ name, pid }, index) => {
      const hint = `# ${name}${index === 0 ? ': watch another worker take over' : ''}`;
      return row(index === 0 ? 'workers' : '', `${c.cyan(`kill -9 ${pid}`)}   ${c.dim(hint)}`);
    }),
    row('stop', 'Ctrl-C'),
    '',
  ];
}
