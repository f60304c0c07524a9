/**
 * The life of the thread in which a worker's API runs: a connection to etcd of its own, the server, and then until the worker
 * says that it is enough. A defect ends the thread alone; the worker begins another one.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../clock.js';
import { EtcronError, messageOf, type ErrorCode } from '../../errors.js';
import { connect } from '../../etcd/connect.js';
import type { ConnectionOptions } from '../../etcd/connection-options.js';
import { Keys } from '../../etcd/keys.js';
import { createLogger } from '../../telemetry/logger.js';
import type { ApiContext } from '../context.js';
import { openApi, type RunningApi } from '../listen.js';
import type { FromThread, ThreadData, ToThread } from './messages.js';
import { WorkerLine } from './worker-line.js';

/** With these it is the settings that are wrong. */
const FINAL_CODES: readonly ErrorCode[] = [
  'ETCRON_LISTEN_REFUSED',
  'ETCRON_CONFIG_INVALID',
  'ETCRON_FILE_UNREADABLE',
];

/** To be called by the main module of a thread. `extensions`: what is served besides the API. */
export async function runApiThread(extensions: NonNullable<ApiContext['extensions']>): Promise<void> {
  const port = parentPort;
  if (port === null) throw new Error('this is the main module of a thread');
  const data = workerData as ThreadData;
  const tell = (message: FromThread): void => port.postMessage(message);
  const line = new WorkerLine(port, systemClock);
  let stop!: () => void;
  const stopped = new Promise<void>((resolve) => {
    stop = resolve;
  });
  port.on('message', (message: ToThread) => {
    if (message.kind === 'stop') stop();
    else if (message.kind === 'ping') tell({ kind: 'pong' });
    else line.heard(message);
  });
  const log = createLogger(data.log).child({ part: 'api', worker: data.name });
  try {
    const connection = withBuffers(data.connection);
    const store = await connect(connection);
    let api: RunningApi | null = null;
    try {
      const keys = new Keys(connection.prefix);
      const output = data.output && { worker: data.name, folder: data.output.folder };
      const context = {
        store,
        keys,
        clock: systemClock,
        log,
        worker: line,
        extensions,
        settings: { output },
      };
      api = await openApi(context, data.listen);
      tell({ kind: 'listening', url: api.url });
      await stopped;
    } finally {
      await api?.close();
      await store.close();
    }
  } catch (error) {
    const known = error instanceof EtcronError ? error : null;
    const code = known?.code ?? 'ETCRON_INTERNAL';
    const isFinal = FINAL_CODES.includes(code) || (code === 'ETCRON_LISTEN_FAILED' && data.listen.isExplicit);
    tell({ kind: 'failed', code, message: messageOf(error), hint: known?.hint ?? null, isFinal });
  } finally {
    port.close();
  }
}

/** What crosses to another thread is copied, and a `Buffer` arrives as the plain bytes that it is. */
function withBuffers(connection: ConnectionOptions): ConnectionOptions {
  const { tls } = connection;
  if (tls === null) return connection;
  const whole = (bytes: Buffer | null): Buffer | null => bytes && Buffer.from(bytes);
  return { ...connection, tls: { ...tls, ca: whole(tls.ca), cert: whole(tls.cert), key: whole(tls.key) } };
}
