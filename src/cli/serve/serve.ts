/** `etcron serve`: the API and the page without a worker, such as beside a proxy or on somebody's desk. */
import { openApi } from '../../api/listen.js';
import { systemClock } from '../../clock.js';
import { createLogger } from '../../telemetry/logger.js';
import type { WorkerFlags } from '../../node/worker-settings.js';
import { EtcronError } from '../../errors.js';
import type { CliContext } from '../context.js';
import { resolveWorkerSettings } from '../worker/resolve-settings.js';
import { listenForStop } from '../worker/stop-signals.js';
import { servePage } from './page.js';

/** Runs until a signal stops it. Rejects when it cannot listen. */
export async function serve(context: CliContext, flags: WorkerFlags): Promise<void> {
  const { environment, options } = context;
  const { config } = options;
  const { api: listen, log: logging } = await resolveWorkerSettings({
    flags,
    env: environment.env,
    isTTY: environment.stdout.isTTY === true,
    ...(typeof config === 'string' ? { configPath: config } : {}),
  });
  if (listen === null) {
    throw new EtcronError('ETCRON_USAGE', 'there is nothing to serve with --listen off', {
      hint: 'Give it an address, such as --listen 127.0.0.1:8470.',
    });
  }
  const log = createLogger(logging);
  process.title = 'etcron serve';
  await context.withPlainStore(async ({ store, keys }) => {
    const stopped = new Promise<void>((resolve) => {
      listenForStop({ onFirst: () => resolve(), onSecond: (exitCode) => process.exit(exitCode) });
    });
    const served = { store, keys, clock: systemClock, log, worker: null, extensions: [servePage] };
    const api = await openApi(served, listen);
    log.info({ url: api.url }, 'the HTTP API is listening');
    await stopped;
    await api.close();
  });
}
