import type { Document } from 'yaml';
import { yaml } from '../../yaml-library.js';
import { printable } from '../printable.js';
import type { JobDefinition } from '../schema.js';
import { YAML_STYLE } from '../yaml-style.js';
import type { CrontabImport } from './import-crontab.js';

/** What cron does with every entry, and what each line means for those who want something else. */
const CRON_RULES = {
  overlap: ['allow', 'cron starts a command although the last one still runs; "skip" does not'],
  misfire: ['skip', 'cron never makes up for what it could not start; "once" does, for the newest'],
  recovery: ['abandon', 'cron does not start again what died with its machine; "rerun" does'],
} as const satisfies Partial<Record<keyof JobDefinition, readonly [string, string]>>;

const RULES = Object.fromEntries(
  Object.entries(CRON_RULES).map(([field, [value]]) => [field, value]),
) as Pick<JobDefinition, keyof typeof CRON_RULES>;

/** The jobs with the rules of cron that hold for all of them: what the file of `renderImport` says. */
export function definitionsOf({ jobs }: CrontabImport): Record<string, JobDefinition> {
  return Object.fromEntries(jobs.map(({ name, definition }) => [name, { ...definition, ...RULES }]));
}

/** Said once under `defaults:` when all jobs say the same. */
const SHARED = ['timezone', 'jitter', 'cwd', 'user', 'env'] as const;

/** A file of jobs, in YAML, that says explicitly what holds for entries of a crontab. `source` is what it was read from. */
export function renderImport({ jobs }: CrontabImport, source: string): string {
  const shared = Object.fromEntries(
    SHARED.flatMap((field) => {
      const values = new Set(jobs.map(({ definition }) => JSON.stringify(definition[field])));
      const value = jobs[0]?.definition[field];
      return values.size === 1 && value !== undefined ? [[field, value] as const] : [];
    }),
  );
  const document = new (yaml().Document)(
    {
      defaults: { ...shared, ...RULES },
      // An object would put a name such as "5" before all others.
      jobs: new Map(
        jobs.map(({ name, definition }) => [
          name,
          Object.fromEntries(Object.entries(definition).filter(([field]) => !(field in shared))),
        ]),
      ),
    },
    { aliasDuplicateObjects: false },
  );
  document.commentBefore = [
    ` From ${printable(source)}, by "etcron import crontab".`,
    ' The defaults say what cron does, so that nothing changes for the commands. A failed command is not repeated, as',
    ' with cron; "retries" would do that.',
  ].join('\n');
  comment(document, ['defaults'], (field) => {
    const rule = CRON_RULES[field as keyof typeof CRON_RULES] as readonly string[] | undefined;
    return rule?.[1] ?? null;
  });
  const lines = new Map(jobs.map(({ name, line }) => [name, line]));
  comment(document, ['jobs'], (name) => `line ${lines.get(name)}`);
  return document.toString(YAML_STYLE);
}

/** Puts a comment before each entry of the map at `path`. */
function comment(document: Document, path: string[], text: (key: string) => string | null): void {
  const { isMap, isScalar } = yaml();
  const map = document.getIn(path);
  if (!isMap(map)) return;
  for (const { key } of map.items) {
    if (!isScalar(key)) continue;
    const found = text(String(key.value));
    if (found !== null) key.commentBefore = ` ${found}`;
  }
}
