/**
 * etcron as a library: jobs and handlers in code, and a worker node inside another program.
 *
 * @module etcron
 */
export { ERROR_CATALOGUE, EtcronError, type ErrorCode, type ErrorOptions } from './errors.js';
export type { JobDefinition } from './jobs/index.js';
export type { WhatNext } from './claim/run-observer.js';
export { createNode, type ActiveRun, type EtcronNode, type StopOptions } from './library/create-node.js';
export {
  defineHandler,
  defineJob,
  type DefinedHandler,
  type DefinedJob,
  type HandlerDefinition,
  type HandlerJob,
  type JobFields,
  type PayloadOf,
  type TaskJob,
} from './library/define-job.js';
export type {
  NodeEventListener,
  NodeEventName,
  NodeEvents,
  RunEndedEvent,
  RunEvent,
  RunIgnoredEndEvent,
  RunProgressEvent,
  RunStartedEvent,
} from './library/node-events.js';
export type { CreateNodeOptions, EtcdOptions, SyncOptions } from './library/options.js';
export type { HandlerFunction, HandlerRun } from './run/handler-task.js';
export type {
  PayloadInput,
  PayloadIssue,
  PayloadOutput,
  PayloadResult,
  PayloadSchema,
} from './run/payload.js';
export type { LogFunction, RunLogger } from './run/run-log.js';
export { createLogger, type Logger, type LoggerOptions, type LogLevel } from './telemetry/logger.js';
