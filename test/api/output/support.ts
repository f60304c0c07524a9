/** Workers that are no more than their APIs, each with a folder of output, on an etcd in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fastify } from 'fastify';
import { validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { OutputAccess } from '../../../src/api/output/find-output.js';
import { HopSecret } from '../../../src/api/output/hop-secret.js';
import { errorHandler } from '../../../src/api/problem.js';
import { hopRoutes } from '../../../src/api/routes/hop.js';
import { outputRoutes } from '../../../src/api/routes/output.js';
import type { ApiApp, ApiServices } from '../../../src/api/services.js';
import { systemClock } from '../../../src/clock.js';
import { workerRecordSchema } from '../../../src/election/worker-record.js';
import { Keys } from '../../../src/etcd/keys.js';
import { encodeRecord } from '../../../src/etcd/record.js';
import { del, put } from '../../../src/etcd/txn.js';
import { emptyRecord, encodeRun, type RunRecord } from '../../../src/history/run-record.js';
import { AttemptFile } from '../../../src/run/output/attempt-file.js';
import { silentLogger } from '../../../src/telemetry/logger.js';
import { MemoryEtcd } from '../../../src/testing/memory-etcd.js';
import { encodeFiring, plannedFiring } from '../../../src/view/firing-record.js';

export const RUN = 'backup/2026-11-21T14:00:00.000Z';

export interface ApiWorker {
  readonly name: string;
  readonly nodeId: string;
  readonly url: string;
  readonly folder: string;
  readonly access: OutputAccess;
  /** Answers that are under way. */
  streams(): number;
  /** Its process is gone; its folder stays. */
  stop(): Promise<void>;
}

export class OutputCluster {
  readonly keys = new Keys();
  readonly etcd = new MemoryEtcd(systemClock);
  readonly store = this.etcd.connect();
  readonly folder = mkdtempSync(join(tmpdir(), 'etcron-outputs-'));
  readonly #apps = new Set<ApiApp>();

  async start(name: string, options: { hasApi?: boolean } = {}): Promise<ApiWorker> {
    const { keys } = this;
    const store = this.etcd.connect();
    const folder = join(this.folder, name);
    const cluster = { store, keys };
    const access: OutputAccess = {
      ...{ cluster, clock: systemClock, own: { worker: name, folder } },
      hop: { secret: new HopSecret(cluster, systemClock), clock: systemClock },
    };
    const app = fastify().withTypeProvider<ZodTypeProvider>() as unknown as ApiApp;
    app.setValidatorCompiler(validatorCompiler);
    app.setSerializerCompiler(() => (data) => JSON.stringify(data));
    app.setErrorHandler(errorHandler(silentLogger()));
    let streams = 0;
    app.addHook('onRequest', (_request, reply, done) => {
      streams += 1;
      reply.raw.once('close', () => (streams -= 1));
      done();
    });
    const context = { store, keys, clock: systemClock, log: silentLogger() };
    hopRoutes(app, access);
    await app.register(
      (scope, _options, done) => {
        outputRoutes(scope, { context } as unknown as ApiServices, access);
        done();
      },
      { prefix: '/api/v1' },
    );
    await app.listen({ host: '127.0.0.1', port: 0 });
    this.#apps.add(app);
    const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
    const nodeId = `${name}-abcdef`;
    const { leaseId } = await this.store.leaseGrant(600_000);
    const record = encodeRecord(workerRecordSchema, {
      ...{ name, host: 'h', pid: 1, version: '0', state: 'active', capacity: 1, labels: {}, handlers: [] },
      ...{ startedAt: 0, clock: null, skewed: false, api: options.hasApi === false ? null : url },
    });
    await this.store.txn({ compare: [], success: [put(keys.worker(nodeId), record, leaseId)] });
    const stop = async (): Promise<void> => {
      this.#apps.delete(app);
      await this.store.txn({ compare: [], success: [del(keys.worker(nodeId))] });
      app.server.closeAllConnections();
      await app.close();
    };
    return { name, nodeId, url, folder, access, streams: () => streams, stop };
  }

  /** A run under way on a worker. */
  async running(worker: Pick<ApiWorker, 'nodeId'>, attempt = 1, run = RUN): Promise<void> {
    const value = encodeFiring({ ...plannedFiring('f'), attempt, node: worker.nodeId });
    await this.store.txn({ compare: [], success: [put(this.keys.firings + run, value)] });
  }

  async ended(
    worker: Pick<ApiWorker, 'name' | 'nodeId'>,
    fields: Partial<RunRecord> = {},
    run = RUN,
  ): Promise<void> {
    const record = {
      ...emptyRecord('succeeded', null, 0),
      attempts: 1,
      worker: worker.name,
      nodeId: worker.nodeId,
    };
    const value = encodeRun({ ...record, ...fields });
    const success = [del(this.keys.firings + run), put(this.keys.runs + run, value)];
    await this.store.txn({ compare: [], success });
  }

  output({ folder, nodeId }: ApiWorker, attempt = 1, run = RUN): AttemptFile {
    return new AttemptFile({
      folder,
      attempt: { runId: run, attempt, fencingToken: String(100 + attempt), nodeId },
      ...{ limitBytes: 2 ** 25, clock: systemClock, now: Date.now },
      onFailure: (error) => {
        throw error;
      },
      onWritten: () => undefined,
    });
  }

  async close(): Promise<void> {
    for (const app of this.#apps) {
      app.server.closeAllConnections();
      await app.close();
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** `/api/v1/runs/<run>/output<rest>` of that worker. */
export function outputUrl({ url }: ApiWorker, rest = '', run = RUN): string {
  const [job = '', due = ''] = run.split('/');
  return `${url}/api/v1/runs/${job}/${encodeURIComponent(due)}/output${rest}`;
}
