import type * as diff from 'diff';
import pc from 'picocolors';
import { lazyModule } from '../lazy-module.js';
import type { FieldChange, JobChange } from './diff.js';
import { printable } from './printable.js';
import { formatProblem } from './problem.js';
import type { JobDefinition } from './schema.js';

const diffLibrary = lazyModule<typeof diff>('diff');

type Colors = ReturnType<typeof pc.createColors>;

/** Changes as a person reads them: `+` is new, `~` changes, `-` goes away; a summary is the last line. */
export function renderDiff(changes: readonly JobChange[], options: { color: boolean }): string {
  const colors = pc.createColors(options.color);
  const shown = changes.filter(({ kind }) => kind !== 'unchanged');
  return [...shown.flatMap((change) => renderJob(change, colors)), summary(changes)].join('\n');
}

function renderJob(change: JobChange, colors: Colors): string[] {
  const name = printable(change.name);
  const note = change.staysPaused ? colors.yellow(` (stays paused${untilText(change.after)})`) : '';
  const broken = change.currentProblems
    .slice(0, 1)
    .map((problem) => colors.dim(`    the value in etcd is broken: ${formatProblem(problem)}`));
  switch (change.kind) {
    case 'create':
      return [colors.green(`+ ${name}`), ...change.fields.flatMap((field) => renderField(field, colors))];
    case 'update':
      return [
        colors.yellow(`~ ${name}`) + note,
        ...broken,
        ...change.fields.flatMap((field) => renderField(field, colors)),
      ];
    case 'delete':
      return [colors.red(`- ${name}`)];
    case 'unchanged':
      return [];
  }
}

function untilText(definition: JobDefinition | null): string {
  const paused = definition?.paused;
  return typeof paused === 'object' && paused.until !== undefined ? ` until ${printable(paused.until)}` : '';
}

function renderField({ path, before, after }: FieldChange, colors: Colors): string[] {
  const name = printable(path);
  if (before === undefined) return [colors.green(`    + ${name}: ${show(after)}`)];
  if (after === undefined) return [colors.red(`    - ${name}: ${show(before)}`)];
  if (isLong(before) && isLong(after)) {
    return [colors.yellow(`    ~ ${name}:`), ...renderLines(before, after, colors)];
  }
  return [`${colors.yellow(`    ~ ${name}:`)} ${colors.red(show(before))} → ${colors.green(show(after))}`];
}

/** A change inside a script of several lines: only the lines that differ. */
function renderLines(before: string, after: string, colors: Colors): string[] {
  return (
    diffLibrary()
      .diffLines(before, after, { maxEditLength: 2_000 })
      ?.flatMap(({ value, added, removed }) => {
        if (!added && !removed) return [];
        const lines = value.replace(/\n$/, '').split('\n');
        return lines.map((line) =>
          added ? colors.green(`        + ${printable(line)}`) : colors.red(`        - ${printable(line)}`),
        );
      }) ?? [colors.yellow('        (another text)')]
  );
}

function isLong(value: unknown): value is string {
  return typeof value === 'string' && value.includes('\n');
}

function show(value: unknown): string {
  return printable(JSON.stringify(value) ?? '');
}

function summary(changes: readonly JobChange[]): string {
  const count = (kind: JobChange['kind']): number => changes.filter((change) => change.kind === kind).length;
  const parts = [
    `${count('create')} to create`,
    `${count('update')} to update`,
    `${count('unchanged')} unchanged`,
  ];
  if (count('delete') > 0) parts.push(`${count('delete')} to delete`);
  return parts.join(', ');
}
