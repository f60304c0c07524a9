/** The logger that a handler gets: what it says goes to the worker's log and is kept as the run's output. */
import { format } from 'node:util';
import { messageOf } from '../errors.js';
import type { Logger } from '../telemetry/logger.js';
import type { OutputSink } from './output-tail.js';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

/** One level of a {@link RunLogger}, called as in pino: a message, or an object and a message. */
export interface LogFunction {
  (message: string, ...values: unknown[]): void;
  (fields: object, message?: string, ...values: unknown[]): void;
}

/**
 * A logger as pino's. Each line carries the run's job, due time and attempt in the worker's log, and is kept in the run's
 * record, as far as the level of the worker's log lets it through.
 */
export interface RunLogger {
  readonly trace: LogFunction;
  readonly debug: LogFunction;
  readonly info: LogFunction;
  readonly warn: LogFunction;
  readonly error: LogFunction;
  readonly fatal: LogFunction;
  /** A logger whose lines carry these fields, too. */
  readonly child: (fields: Record<string, unknown>) => RunLogger;
}

/** `output` gets a line such as `info sent the mails {"count":3}`. */
export function makeRunLogger(
  log: Logger,
  output: OutputSink,
  bound: Record<string, unknown> = {},
): RunLogger {
  const at = (level: (typeof LEVELS)[number]): LogFunction => {
    return (first: string | object, ...rest: unknown[]): void => {
      if (!log.isLevelEnabled(level)) return;
      const isText = typeof first === 'string';
      const fields = isText ? {} : first instanceof Error ? { err: first } : first;
      const [template, ...values] = isText ? [first, ...rest] : rest;
      const message =
        template === undefined
          ? first instanceof Error
            ? messageOf(first)
            : ''
          : format(template, ...values);
      log[level](fields, message);
      output.write(
        Buffer.from(`${[level, message, fieldsText({ ...bound, ...fields })].join(' ').trimEnd()}\n`),
      );
    };
  };
  const [trace, debug, info, warn, error, fatal] = LEVELS.map(at) as [
    LogFunction,
    LogFunction,
    LogFunction,
    LogFunction,
    LogFunction,
    LogFunction,
  ];
  const child = (fields: Record<string, unknown>): RunLogger =>
    makeRunLogger(log.child(fields), output, { ...bound, ...fields });
  return { trace, debug, info, warn, error, fatal, child };
}

function fieldsText(fields: Record<string, unknown>): string {
  if (Object.keys(fields).length === 0) return '';
  try {
    return JSON.stringify(fields, (_, value: unknown) =>
      value instanceof Error ? value.message : typeof value === 'bigint' ? String(value) : value,
    );
  } catch {
    return '{…}';
  }
}
