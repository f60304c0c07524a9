/**
 * The worker process around a `Node`.
 *
 *     settings → etcd answers (else exit 3) → node started, launcher beside it
 *                                                                        │
 *             SIGTERM, SIGINT, SIGHUP: drained, lease revoked, exit 0 ◀──┤
 *                       second signal: commands killed, exit 128 + n ◀───┤
 *           a defect (uncaught error): logged, commands killed, exit 1 ◀─┘
 *
 * No command outlives the process, however it ends by itself: `exit` kills what is left; for an end from outside there is
 * the watchdog. An etcd that goes away later is the
 * node's business; the process goes on.
 */
import { hostname } from 'node:os';
import { systemClock } from '../../clock.js';
import { messageOf } from '../../errors.js';
import { Node } from '../../node/node.js';
import type { UnderPolicy } from '../../node/own-fitness.js';
import { PolicyFollower } from '../../node/policy-follower.js';
import type { ConnectionOptions } from '../../etcd/connection-options.js';
import { killAllNow, makePrepareTask } from '../../run/executor.js';
import { Launcher } from '../../run/launcher/launcher.js';
import { OutputKeeper } from '../../run/output/output-keeper.js';
import { Watchdog } from '../../run/watchdog/watchdog.js';
import { createLogger, type Logger } from '../../telemetry/logger.js';
import { connectionOptions } from '../connection.js';
import type { CliContext } from '../context.js';
import { packageVersion } from '../../version.js';
import { workerApi } from '../serve/worker-api.js';
import { resolveWorkerSettings, type WorkerConfig } from './resolve-settings.js';
import { measureWorker } from './measure-worker.js';
import { listenForStop, type StopSignal } from './stop-signals.js';
import type { WorkerFlags } from '../../node/worker-settings.js';

/** Secrets that nobody needs after the connection was made; dumps and debuggers show the environment. */
const SECRET_VARIABLES = ['ETCRON_PASSWORD'];

/** Runs until a signal stops it. Rejects when the worker cannot start. */
export async function runWorker(context: CliContext, flags: WorkerFlags): Promise<void> {
  const { environment, options } = context;
  const { config } = options;
  const settings = await resolveWorkerSettings({
    flags,
    env: environment.env,
    isTTY: environment.stdout.isTTY === true,
    ...(typeof config === 'string' ? { configPath: config } : {}),
  });
  const log = createLogger(settings.log);
  const connection = await connectionOptions(options, environment.env);
  process.title = `etcron worker ${settings.node.name}`;
  await context.withPlainStore(async ({ store, keys }) => {
    for (const name of SECRET_VARIABLES) delete process.env[name];
    // Nobody could ask for it otherwise.
    const measured = settings.api === null ? null : await measureWorker({ store, keys }, settings.node.name);
    const watchdog =
      flags.watchdog === false
        ? undefined
        : makeWatchdog(connection, log, settings.log.format, measured?.onReplaced('watchdog'));
    const output =
      settings.output === null
        ? undefined
        : new OutputKeeper({ settings: settings.output, clock: systemClock, log });
    const launcher = new Launcher({
      ...{ clock: systemClock, log, watchdog, output: output?.settings },
      onReplaced: measured?.onReplaced('launcher'),
    });
    let underPolicy: UnderPolicy = { labels: settings.node.labels, policy: settings.node.policy };
    const node = new Node({
      store: measured?.store ?? store,
      observer: measured?.observer,
      keys,
      clock: systemClock,
      random: Math.random,
      log,
      prepareTask: makePrepareTask({ launcher, output, policy: () => underPolicy.policy }),
      watchdog,
      options: { ...settings.node, host: hostname(), pid: process.pid, version: packageVersion() },
    });
    const { policyFile } = settings;
    const policyFollower =
      policyFile &&
      new PolicyFollower({
        ...{ ...policyFile, current: underPolicy, clock: systemClock, log },
        onChange: (next) => {
          underPolicy = next;
          node.changePolicy(next);
        },
      });
    measured?.show(node, { watchdog: watchdog ?? null, launcher });
    const api =
      settings.api === null || measured === null
        ? null
        : workerApi({
            data: {
              connection,
              listen: settings.api,
              log: settings.log,
              name: settings.node.name,
              output: settings.output,
            },
            ...{ log, node, metricsText: measured.metricsText, onReplaced: measured.onReplaced('api') },
          });
    endOnDefect(log);
    const stopped = stopSignal(log);
    // Not waited for: it learns of everything that has happened until it is there.
    void watchdog?.start();
    void output?.start();
    void policyFollower?.start();
    // What is to start before there is a launcher starts without it.
    void launcher.start();
    const started = node.start();
    try {
      const signal = await Promise.race([stopped, started.then(() => null)]);
      // Only now, since work comes first. It rejects where it is told to listen at an address where it cannot.
      if (signal === null) await Promise.race([stopped, api?.start().then(() => stopped) ?? stopped]);
      else started.catch(() => undefined);
      await api?.stop();
      await node.stop();
    } finally {
      await policyFollower?.stop();
      await api?.stop();
      await node.stop();
      await launcher.stop();
      await output?.stop();
      await watchdog?.stop();
    }
  });
}

function makeWatchdog(
  { endpoints, tls, credentials }: ConnectionOptions,
  log: Logger,
  logFormat: WorkerConfig['log']['format'] = 'json',
  onReplaced?: () => void,
): Watchdog {
  const text = (pem: Buffer | null): string | null => pem && pem.toString();
  const pems = tls && { ca: text(tls.ca), cert: text(tls.cert), key: text(tls.key) };
  return new Watchdog({
    clock: systemClock,
    log,
    connection: { endpoints, tls: pems, credentials },
    ...{ logFormat, onReplaced },
  });
}

/** Resolves with the first stop signal; the second ends the process. */
function stopSignal(log: Logger): Promise<StopSignal> {
  return new Promise((resolve) => {
    listenForStop({
      onFirst: (signal) => {
        log.info({ signal }, 'stopping; a second signal ends everything at once');
        resolve(signal);
      },
      onSecond: (exitCode) => {
        log.warn('second signal: ending at once');
        // `exit` kills the commands.
        process.exit(exitCode);
      },
    });
  });
}

function endOnDefect(log: Logger): void {
  process.on('exit', () => killAllNow());
  const end = (error: unknown): void => {
    log.fatal({ err: error }, `a defect in etcron: ${messageOf(error)}`);
    process.exit(1);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
