/** etcron as a library: a worker node inside another program, and the pieces that it is started with. */
export { systemClock, type Clock } from './clock.js';
export { EtcronError, type ErrorCode } from './errors.js';
export { connect } from './etcd/connect.js';
export { resolveConnectionOptions, type ConnectionOptions } from './etcd/connection-options.js';
export { Keys } from './etcd/keys.js';
export type { Store } from './etcd/store.js';
export { parseJobValue, type Job, type JobDefinition, type Problem } from './jobs/index.js';
export { Node, type NodeContext } from './node/node.js';
export { NODE_DEFAULTS, type NodeOptions } from './node/options.js';
export { makePrepareTask, type PrepareTask } from './run/executor.js';
export { parseSchedule, type Schedule } from './schedule/index.js';
export { createLogger, silentLogger, type Logger } from './telemetry/logger.js';
