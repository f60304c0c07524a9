/**
 * Logs: JSON lines with ISO times for machines, a readable form on demand for people at a terminal. Everything that
 * logs takes a `Logger` as an argument; nothing logs through a global.
 */
import { pino, type DestinationStream, type Level, type Logger } from 'pino';
import type { prettyFactory } from 'pino-pretty';
import { lazyModule } from '../lazy-module.js';

export type { Logger } from 'pino';

const pinoPretty = lazyModule<{ prettyFactory: typeof prettyFactory }>('pino-pretty');

/** From which level on lines are written. */
export type LogLevel = Level | 'silent';

export const LOG_LEVELS: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** What `createLogger` takes. */
export interface LoggerOptions {
  /** Default `info`. */
  level?: LogLevel;
  /** `json` (default) writes one JSON object a line; `pretty` writes for a person. */
  format?: 'json' | 'pretty';
  /** Where the lines go; stdout by default. */
  destination?: DestinationStream;
  /** Added to each line as `name`. */
  name?: string;
  /** Fields added to each line, such as the node id. */
  base?: Record<string, unknown>;
}

/** Field names whose values never belong in a log, at the top level and up to two levels below. */
const SECRET_FIELDS = ['password', 'token', 'authorization', 'secret', 'privateKey'];

const REDACTED_PATHS = SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]);

/** A logger of its own. Writes are synchronous: a line that was logged is written even when the process then dies. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const { level = 'info', format = 'json', name, base = {} } = options;
  const settings = {
    level,
    base: name === undefined ? base : { name, ...base },
    redact: { paths: REDACTED_PATHS, censor: '[redacted]' },
  };
  const destination = options.destination ?? pino.destination({ fd: 1, sync: true });
  if (format === 'pretty') {
    const colorize = options.destination === undefined && process.stdout.isTTY && !process.env.NO_COLOR;
    return pino(settings, prettyStream(destination, colorize));
  }
  return pino({ ...settings, timestamp: pino.stdTimeFunctions.isoTime }, destination);
}

/** In this thread, not as a pino transport: no worker thread, and nothing is lost on exit. */
function prettyStream(destination: DestinationStream, colorize: boolean): DestinationStream {
  const format = pinoPretty().prettyFactory({
    colorize,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,hostname',
  });
  return { write: (line) => destination.write(format(line)) };
}

/** Says nothing; for tests and for library users who pass no logger. */
export function silentLogger(): Logger {
  return pino({ level: 'silent' });
}
