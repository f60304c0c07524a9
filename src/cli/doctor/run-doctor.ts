/** Looks at everything, and says what is wrong and what to do. Writes nothing. */
import { printable } from '../../jobs/printable.js';
import { plural } from '../../plural.js';
import { connectionOptions } from '../connection.js';
import type { CliContext } from '../context.js';
import { CHECKS } from './checks.js';
import type { DoctorFacts } from './facts.js';
import type { Check, Finding, Severity } from './finding.js';
import { gatherFacts } from './gather-facts.js';

/** Workers say what their clocks show every 5 s. */
const LISTEN_MS = 6_500;
const NAMED = 5;
const MARKS: Readonly<Record<Severity, string>> = { error: '✗', warning: '!', advice: '·' };

export interface DoctorOptions {
  /** Without the workers' clocks, which take some seconds. */
  readonly quick?: boolean;
  /** Warnings count as well. */
  readonly strict?: boolean;
}

interface Result {
  readonly check: Check;
  readonly findings: readonly Finding[];
}

/** The exit code is 1 when there is an error, or with `strict` a warning. Rejects when etcd does not answer. */
export async function runDoctor(context: CliContext, options: DoctorOptions): Promise<void> {
  await context.withStore(async (cluster) => {
    const connection =
      cluster.isAudited === true ? null : await connectionOptions(context.options, context.environment.env);
    const listenMs = options.quick === true ? 0 : LISTEN_MS;
    if (listenMs > 0) context.out.note('Listening to the clocks of the workers for some seconds …');
    const facts = await gatherFacts(cluster, { clock: context.clock, connection, listenMs });
    const results = examine(facts);
    const all = results.flatMap(({ findings }) => findings);
    const isBad = ({ severity }: Finding): boolean =>
      severity === 'error' || (options.strict === true && severity === 'warning');
    if (all.some(isBad)) context.exitCode = 1;
    if (context.json) context.out.json(toJson(results));
    else print(context, results);
  });
}

/** What each check finds. */
export function examine(facts: DoctorFacts): Result[] {
  return CHECKS.map((check) => ({ check, findings: check.find(facts) }));
}

function print({ out, colors }: CliContext, results: readonly Result[]): void {
  const paint = { error: colors.red, warning: colors.yellow, advice: colors.cyan };
  for (const severity of ['error', 'warning', 'advice'] as const) {
    for (const { check, findings } of results) {
      for (const finding of findings) {
        if (finding.severity !== severity) continue;
        const { what, where, remedy } = finding;
        out.line(paint[severity](`${MARKS[severity]} ${printable(what)}`) + colors.dim(`  [${check.name}]`));
        for (const one of where.slice(0, NAMED)) out.line(`    ${printable(one)}`);
        if (where.length > NAMED) out.line(`    and ${where.length - NAMED} more`);
        out.line(colors.dim('  → ') + printable(remedy) + '\n');
      }
    }
  }
  const good = results.filter(({ findings }) => findings.length === 0);
  for (const { check } of good) out.line(`${colors.green('✓')} ${check.good}`);
  const count = (severity: Severity): number =>
    results.flatMap(({ findings }) => findings).filter((one) => one.severity === severity).length;
  out.line(
    `\n${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}, ${plural(count('advice'), 'hint')}`,
  );
}

function toJson(results: readonly Result[]): unknown {
  const findings = results.flatMap((result) =>
    result.findings.map(({ severity, what, where, remedy }) => ({
      ...{ check: result.check.name, severity, what, where, remedy },
    })),
  );
  return {
    healthy: findings.every(({ severity }) => severity !== 'error'),
    findings,
    good: results.filter((result) => result.findings.length === 0).map(({ check }) => check.name),
  };
}
